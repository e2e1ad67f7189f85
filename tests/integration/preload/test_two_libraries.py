#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Two preload libraries at once, in both orders: neither is skipped, both count the same calls, and
the answers stay byte-exact. Also with jemalloc, whose first allocation comes before everything.
"""

import functools
import glob
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import LIB, Skip, Suite, box, equal, need, run, total, true
from fetch import fetch_everything
from servers import Asyncio, Nginx, Node, RedisServer

HERE = os.path.dirname(os.path.abspath(__file__))


@functools.lru_cache(maxsize=None)
def counter_library():
    path = box.file("counter.so")
    done = run([need(os.environ.get("CC", "cc")), "-O1", "-shared", "-fPIC", "-o", path,
                os.path.join(HERE, "counter.c"), "-ldl"])
    equal("compiling counter.c", (done.returncode, done.stderr), (0, b""))
    return path


def counts_agree(make, order):
    preload = " ".join({"first": (LIB, counter_library()),
                        "second": (counter_library(), LIB)}[order])
    counter_file = box.file("counter")
    with open(counter_file, "wb") as f:
        f.write(bytes(8))
    os.chmod(counter_file, 0o666)
    server = make({"MODE": "observe"}, preload=preload, extra={"COUNTER_FILE": counter_file})
    with server:
        fetch_everything(server.connect, server.fast)
        server.settle()
    with open(counter_file, "rb") as f:
        (counted,) = struct.unpack("L", f.read())
    true("the other library counted only %d calls" % counted, counted > 50)
    equal("writes", total(server.stats(), "writes"), counted)


def works_with_jemalloc(make, order):
    found = glob.glob("/usr/lib/*/libjemalloc.so.2")
    if not found:
        raise Skip("libjemalloc is not installed")
    preload = " ".join((LIB, found[0]) if order == "first" else (found[0], LIB))
    server = make({}, preload=preload)
    with server:
        with open("/proc/%d/maps" % server.main_pid()) as f:
            true("jemalloc was not loaded", "libjemalloc" in f.read())
        fetch_everything(server.connect, server.fast)
    equal("accepts", total(server.stats(), "accepts"), server.connections)


suite = Suite()
for server_class in (Nginx, RedisServer, Asyncio, Node):
    for place in ("first", "second"):
        suite.run("%s_shim_%s_of_two_counts_agree" % (server_class.__name__.lower(), place),
                  counts_agree, server_class, place)
for server_class in (Nginx, Asyncio):
    for place in ("first", "second"):
        suite.run("%s_shim_%s_with_jemalloc" % (server_class.__name__.lower(), place),
                  works_with_jemalloc, server_class, place)
suite.end()
