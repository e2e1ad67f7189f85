#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Under a seccomp filter that answers EACCES to what the library asks of the kernel (cookie, TCP_INFO,
buffer size, writability) it acts no more and counts on: same answers, same counts.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import clients_rows, counts_equal, small_load
from common import HELPERS, Skip, Suite, equal, run, total, true
from fetch import fetch_everything
from servers import Asyncio, Nginx, RedisServer

FILTER = os.path.join(HELPERS, "it_filter")

# How many features meet a refused getsockopt, ppoll or getrusage at most, each once: cookies and
# growth and thin waits; stretch, mask and gather as well, if the load makes them ask.
REFUSED_MAX = {"off": 3, "auto": 6}


def filtered(make):
    def build(settings, tracer=None):
        return make(settings, tracer=tracer, wrapper=[FILTER])
    return build


def check_filters_work():
    if run([FILTER, "/bin/true"]).returncode:
        raise Skip("seccomp filters are not allowed here")


def serves_and_counts(make):
    check_filters_work()
    for wake, most in REFUSED_MAX.items():
        serves_and_counts_with(make, wake, most)


def serves_and_counts_with(make, wake, most):
    server = filtered(make)({"WRITE": "grow", "WAKE": wake})
    with server:
        fetch_everything(server.connect, server.fast)
    stats = server.stats()
    equal("accepts", total(stats, "accepts"), server.connections)
    equal("rows of clients", len(clients_rows(stats)), server.connections)
    for name in ("writes", "write_bytes", "eagain_writes", "short_writes"):
        equal("sum of the rows' " + name,
              sum(row[name] for one in stats.values() for row in one["sockets"]),
              total(stats, name))
    equal("grown_sockets", total(stats, "grown_sockets"), 0)
    # Found out once per process that stalled, then no more asked.
    refused = [one["totals"]["globals"]["aux_refused"] for one in stats.values()]
    true("aux_refused: %s" % refused, 1 <= max(refused) <= most)
    equal("strangers", [one["totals"]["globals"]["strangers"] for one in stats.values()],
          [0] * len(stats))


def counts_like_strace(make):
    """Of TCP: whether a socket pair is a stream one cannot be asked under this filter."""
    check_filters_work()
    counts_equal(filtered(make), small_load, "auto", kinds="TCP|TCPv6")


suite = Suite()
for server_class in (Nginx, RedisServer, Asyncio):
    name = server_class.__name__.lower()
    suite.run(name + "_filtered_serves_and_counts", serves_and_counts, server_class)
    suite.run(name + "_filtered_counts_equal_strace", counts_like_strace, server_class)
suite.end()
