#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Java: blocking sockets written by a pool of threads, a selector with non-blocking ones, and child
processes made by vfork, in which the JDK closes and duplicates descriptors with our wrappers.
"""

import functools
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import MODES, byte_exact, check_served, check_stake, clients_rows, counts_equal
from common import Failed, Suite, box, equal, need, run, stat, total
from fetch import SLOW, in_parallel
from servers import HERE, Script, document_root


@functools.lru_cache(maxsize=None)
def classes():
    """Compiled once."""
    directory = box.directory("classes")
    done = run([need("javac"), "-d", directory, os.path.join(HERE, "java", "Server.java")])
    if done.returncode:
        raise Failed("javac: %s" % done.stderr.decode())
    return directory


class Java(Script):
    kind = "http"

    def argv(self):
        return [need("java"), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Djdk.lang.Process.launchMechanism=VFORK", "-cp", classes(), "Server",
                document_root(), self.kind]


class JavaNio(Java):
    kind = "nio"


def check_blocking(server, mode, stats):
    check_served(server, stats)
    for counter in ("eagain_writes", "short_writes", "growths", "retries"):
        equal("%s of blocking sockets" % counter, total(stats, counter), 0)


def check_selected(server, mode, stats):
    check_served(server, stats)
    check_stake(mode, stats)


def vfork_leaves_rows_alone(make):
    with make({"MODE": "observe"}) as server:
        connections = [server.connect() for _ in range(3)]
        for connection in connections:
            connection.fetch("100k")
        before = open_rows(server)
        for _ in range(4):
            equal("what the child wrote", connections[0].text("/run"), "child\n")
        for connection in connections:
            connection.fetch("1m")
        after = open_rows(server)
        equal("rows of the live connections", sorted(set(before) & set(after)), sorted(before))
        for connection in connections:
            connection.close()


def open_rows(server):
    stats = stat(server.main_pid(), server.stats_dir)
    return {(row["fd"], row["opened_ns"]): row for row in clients_rows({0: stats})
            if row["state"] == "open"}


def few_requests(server):
    def slow_reader():
        with server.connect(SLOW) as connection:
            connection.fetch("1m")
            connection.text("/run")
            connection.fetch("100")
    in_parallel([slow_reader] * 3)


suite = Suite()
for server_class, check in ((Java, check_blocking), (JavaNio, check_selected)):
    name = server_class.__name__.lower()
    for setting in MODES:
        suite.run("%s_%s_answers_are_byte_exact" % (name, setting), byte_exact, server_class,
                  setting, check)
    suite.run(name + "_vfork_leaves_live_rows_alone", vfork_leaves_rows_alone, server_class)
    suite.run(name + "_counts_equal_strace", counts_equal, server_class, few_requests, "observe")
suite.end()
