#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Children of a live server. A vfork child runs our wrappers in the parent's memory: subprocess
closes every descriptor from 3 up there, and the parent's connections must not notice. A fork
child has a file of its own that names its parent.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import clients_rows, counts_equal
from common import Skip, Suite, box, equal, need, run, stat, total, true
from fetch import SLOW
from servers import PYTHON, Asyncio

OBSERVE = {"MODE": "observe"}


class Prefork(Asyncio):
    script = "prefork.py"


class ForkWorkers(Prefork):
    arguments = ("3", "fork")


class MultiprocessingWorkers(Prefork):
    arguments = ("3", "multiprocessing")


def rows_of(server):
    return {row["fd"]: row for row in clients_rows({0: stat(server.main_pid(), server.stats_dir)})
            if row["state"] == "open"}


def vfork_child_is_one():
    """The premise of the next cases: this Python forks by vfork and closes by close_range."""
    log = box.file("strace")
    run([need("strace"), "-f", "-qq", "-o", log, "-e", "trace=clone,clone3,vfork,close_range",
         PYTHON, "-c", "import subprocess; subprocess.run(['/bin/true'], close_fds=True)"])
    with open(log) as f:
        text = f.read()
    if "vfork" not in text.lower() or "close_range" not in text:
        raise Skip("this Python does not use vfork and close_range")


def subprocess_leaves_rows_alone():
    with Asyncio(OBSERVE) as server:
        connections = [server.connect() for _ in range(4)]
        for connection in connections:
            connection.fetch("100k")
        fds = [json.loads(connection.text("/fd"))["fd"] for connection in connections]
        before = rows_of(server)
        for _ in range(5):
            child = json.loads(connections[0].text("/run"))
            equal("what the child wrote", (child["out"], child["err"], child["code"]),
                  ("child\n", "", 0))
        for connection in connections:
            connection.fetch("1m")
        after = rows_of(server)
        for fd in fds:
            equal("row of fd %d" % fd, after[fd]["opened_ns"], before[fd]["opened_ns"])
            true("write_bytes of fd %d do not go on" % fd,
                 after[fd]["write_bytes"] >= before[fd]["write_bytes"] + (1 << 20))
        equal("accepts", total(server.stats(), "accepts"), server.connections)


def subprocess_counts_equal_strace():
    def load(server):
        with server.connect() as connection, server.connect(SLOW) as slow:
            for _ in range(3):
                connection.text("/run")
                connection.fetch("100k")
                slow.fetch("1m")
    counts_equal(Asyncio, load, "observe")


def workers_have_own_files(make):
    with make(OBSERVE) as server:
        seen = set()
        connections = []
        for _ in range(40):
            connections.append(server.connect())
            connections[-1].fetch("10k")
            seen.add(int(connections[-1].text("/pid")))
            if len(seen) == 3:
                break
        for connection in connections:
            connection.fetch("100k")
        live = server.stats()
        parent = server.main_pid()
        true("a worker that served has no file", seen <= set(live))
        for pid in set(live) - {parent}:
            equal("parent of worker %d" % pid, live[pid]["parent_pid"], parent)
        equal("parent of the parent", live[parent]["parent_pid"], 0)
        equal("accepts, in all", total(live, "accepts"), server.connections)
        equal("accepts of the parent", live[parent]["totals"]["accepts"], 0)
        equal("responses", sum(row["responses"] for row in clients_rows(live)),
              2 * len(connections))  # the third is still open-ended: nothing was read after it
    for pid in seen:
        equal("state of a worker", server.stats()[pid]["state"], "ended")


def workers_counts_equal_strace():
    def load(server):
        for _ in range(6):
            with server.connect(SLOW) as connection:
                connection.fetch("1m")
    counts_equal(ForkWorkers, load, "observe")


suite = Suite()
suite.run("subprocess_uses_vfork", vfork_child_is_one)
suite.run("subprocess_leaves_live_rows_alone", subprocess_leaves_rows_alone)
suite.run("subprocess_counts_equal_strace", subprocess_counts_equal_strace)
suite.run("fork_workers_have_own_files", workers_have_own_files, ForkWorkers)
suite.run("multiprocessing_workers_have_own_files", workers_have_own_files, MultiprocessingWorkers)
suite.run("fork_workers_counts_equal_strace", workers_counts_equal_strace)
suite.end()
