#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Node closes by syscall(SYS_close), which no preload sees: a descriptor number that comes back
must not carry the old one's statistics on, whatever it was and whatever it is now.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import counts_equal
from common import Suite, equal, stat, true, wait_until
from servers import Node

OBSERVE = {"MODE": "observe"}


def ask(connection, path):
    return json.loads(connection.text(path))


def rows_of(server, fd):
    """All connections that had this number, oldest first."""
    rows = stat(server.main_pid(), server.stats_dir)["sockets"]
    return sorted((row for row in rows if row["fd"] == fd), key=lambda row: row["opened_ns"])


def row_of(server, fd):
    return rows_of(server, fd)[-1]


def wait_for_close(server, fd):
    """The server has closed the connection that had this number."""
    path = "/proc/%d/fd/%d" % (server.main_pid(), fd)
    wait_until("the server to close", lambda: not os.path.lexists(path))


def new_connection_has_new_row():
    with Node(OBSERVE) as server:
        server.settle()
        first = server.connect()
        for _ in range(5):
            first.fetch("100")
        fd = ask(first, "/fd")["fd"]
        first.fetch("10k")
        before = row_of(server, fd)
        first.close()
        wait_for_close(server, fd)
        second = server.connect()
        equal("descriptor of the second connection", ask(second, "/fd")["fd"], fd)
        second.fetch("100k")
        second.fetch("100")
        *_, after, new = rows_of(server, fd)
        equal("the first one's row is another's", after["opened_ns"], before["opened_ns"])
        equal("state of the first", after["state"], "closed")
        equal("state of the second", new["state"], "open")
        for name in ("writes", "write_bytes"):
            equal("%s of the first after its close" % name, after[name], before[name])
        true("write_bytes of the first", 10 << 10 < after["write_bytes"] < 20 << 10)
        true("write_bytes of the second", 100 << 10 < new["write_bytes"] < 110 << 10)
        equal("responses of the first", after["responses"], 7)


def file_on_reused_number_is_not_counted():
    with Node(OBSERVE) as server:
        keeper = server.connect()
        keeper.fetch("100")
        server.settle()
        first = server.connect()
        first.fetch("100")
        fd = ask(first, "/fd")["fd"]
        before_close = row_of(server, fd)
        first.close()
        wait_for_close(server, fd)
        before = stat(server.main_pid(), server.stats_dir)
        result = ask(keeper, "/file?40")
        equal("descriptor of the file", result["fd"], fd)
        equal("bytes in the file", result["bytes"], 4000)
        after = stat(server.main_pid(), server.stats_dir)
        # One more answer on the kept connection; the 40 writes to the file do not show.
        equal("writes", after["totals"]["writes"], before["totals"]["writes"] + 1)
        closed = row_of(server, fd)
        equal("row of the closed connection", closed["opened_ns"], before_close["opened_ns"])
        equal("its writes", closed["writes"], before_close["writes"])
        equal("its state", closed["state"], "closed")
        with server.connect() as third:
            third.fetch("1m")


def child_stdin_is_counted():
    """A socket pair of a child on numbers that were files: counted as strace counts."""
    def load(server):
        with server.connect() as connection:
            for _ in range(3):
                equal("bytes through the child", ask(connection, "/child?20")["bytes"], 2000)
                connection.fetch("100")
    counts_equal(Node, load, "observe")


def no_unknown_events():
    """Events on pipes and eventfds, registered before their first use, are no mystery."""
    with Node(OBSERVE) as server:
        for _ in range(3):
            with server.connect() as connection:
                connection.fetch("1m")
                ask(connection, "/child?3")
        totals = stat(server.main_pid(), server.stats_dir)["totals"]
        equal("unknown_events of %d" % totals["wait_events"], totals["unknown_events"], 0)


def io_uring_setting_is_survived():
    """UV_USE_IO_URING=1 sends epoll_ctl and file I/O through a ring the shim does not see."""
    with Node(OBSERVE, extra={"UV_USE_IO_URING": "1"}) as server:
        for _ in range(3):
            with server.connect() as connection:
                connection.fetch("1m")
                connection.fetch("100")
        stats = server.stats()
        equal("accepts", sum(one["totals"]["accepts"] for one in stats.values()),
              server.connections)


suite = Suite()
suite.run("new_connection_on_old_number_has_new_row", new_connection_has_new_row)
suite.run("file_on_old_number_is_not_counted", file_on_reused_number_is_not_counted)
suite.run("child_stdin_on_old_number_is_counted", child_stdin_is_counted)
suite.run("pipes_and_eventfds_are_no_unknown_events", no_unknown_events)
suite.run("io_uring_setting_is_survived", io_uring_setting_is_survived)
suite.end()
