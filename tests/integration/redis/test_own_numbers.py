#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A busy server's own numbers against the shim's: what redis says of its connections and bytes
(INFO stats) must be what the shim counted, to the byte; with one thread and with I/O threads, which
hand connections to each other all the time.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import Suite, equal, need, run, stat, true
from servers import RedisServer


class RedisPlain(RedisServer):
    requests = 20000


class RedisThreads(RedisServer):
    requests = 4000  # two spinning threads and the benchmark on two cores: 10 times slower

    def argv(self):
        return super().argv() + ["--io-threads", "2", "--io-threads-do-reads", "yes"]


def info(client):
    """INFO stats as a dictionary, and the bytes of this answer itself."""
    client.command("INFO", "stats")
    head = client.line()
    length = int(head[1:])
    while len(client.rest) < length + 2:
        client.rest += client.more()
    text, client.rest = client.rest[:length].decode(), client.rest[length + 2:]
    lines = (line.split(":", 1) for line in text.split("\r\n") if ":" in line)
    return dict(lines), len(head) + 2 + length + 2


def numbers_agree(make, settings, pipeline):
    with make(settings) as server:
        done = run([need("redis-benchmark"), "-p", str(server.port), "-c", "50",
                    "-n", str(server.requests), "-P", str(pipeline), "-d", "64", "-t", "set,get", "-q"])
        equal("exit code of redis-benchmark", done.returncode, 0)
        run([need("redis-benchmark"), "-p", str(server.port), "-c", "20", "-n", "200", "-q",
             "GET", "1m"])
        with server.connect() as client:
            redis, own_bytes = info(client)
            server.settle()
            one = stat(server.main_pid(), server.stats_dir)
        totals = one["totals"]
        equal("connections", totals["accepts"], int(redis["total_connections_received"]))
        equal("bytes in", totals["read_bytes"], int(redis["total_net_input_bytes"]))
        equal("bytes out", totals["write_bytes"], int(redis["total_net_output_bytes"]) + own_bytes)
        writes = int(redis["total_writes_processed"])
        true("redis says it wrote %d times, the shim %d" % (writes, totals["writes"]),
             writes <= totals["writes"])


suite = Suite()
for server_class in (RedisPlain, RedisThreads):
    name = server_class.__name__.lower()
    for pipeline in (1, 16):
        suite.run("%s_pipeline_%d_numbers_agree" % (name, pipeline), numbers_agree, server_class,
                  {}, pipeline)
suite.end()
