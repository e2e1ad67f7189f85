#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Pre-forked workers on one listener, with and without EPOLLEXCLUSIVE: the same bytes, every
connection served, also when a worker dies; treated where it is to be and nowhere else.
"""

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import Suite, children, equal, total, true
from fetch import fetch_everything
from servers import Asyncio

WORKERS = 4


class Fork(Asyncio):
    script = "prefork.py"
    arguments = (str(WORKERS), "fork")


class Multiprocessing(Fork):
    arguments = (str(WORKERS), "multiprocessing")


def one_by_one(server, count):
    """All workers sleep before each connection: natively each wakes them all."""
    for _ in range(count):
        with server.connect() as connection:
            connection.fetch("100")
        time.sleep(0.002)


def same_bytes(make, settings, is_treated):
    with make(settings) as server:
        one_by_one(server, 150)
        fetch_everything(server.connect)
        one_by_one(server, 50)
        server.settle()
    stats = server.stats()
    if settings["MODE"] == "off":
        equal("statistics files", sorted(stats), [])
        return
    equal("accepts", total(stats, "accepts"), server.connections)
    if is_treated:
        true("%d registrations treated" % total(stats, "exclusive_adds"),
             WORKERS - 1 <= total(stats, "exclusive_adds"))
    else:
        equal("exclusive_adds", total(stats, "exclusive_adds"), 0)


def worker_dies(settings):
    server = Fork(settings)
    try:
        server.start()
        one_by_one(server, 100)
        for _ in range(WORKERS - 1):
            os.kill(children(server.main_pid())[0], signal.SIGKILL)
            time.sleep(0.05)
            one_by_one(server, 30)
    finally:
        server.kill()


CASES = (
    ("exclusive", {"MODE": "adapt", "WAKE": "exclusive"}, True),
    ("auto", {"MODE": "adapt", "WAKE": "auto"}, True),
    ("wake_off", {"MODE": "adapt", "WAKE": "off"}, False),
    ("observe", {"MODE": "observe", "WAKE": "exclusive"}, False),
    ("off", {"MODE": "off", "WAKE": "exclusive"}, False),
)

suite = Suite()
for name, settings, is_treated in CASES:
    for make in (Fork, Multiprocessing):
        suite.run("%s_workers_%s_answers_are_byte_exact" % (make.__name__.lower(), name),
                  same_bytes, make, settings, is_treated)
suite.run("workers_die_and_the_others_serve", worker_dies, {"MODE": "adapt", "WAKE": "exclusive"})
suite.end()
