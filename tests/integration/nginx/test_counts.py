#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The shim counts what strace counts, in each process (trace.py says what is counted). And once more
by strace's own summary (-c), which cannot tell descriptors apart: nginx makes write-family calls
on stream sockets only (its pid file is written by pwrite).
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import MODES, counts_equal, run_counts, small_load
from common import equal, total, true
from servers import Nginx, NginxSmallBuffer
from trace import WRITES, StraceSummary


def summary_equals():
    tracer = StraceSummary(WRITES)
    server = Nginx(MODES["observe"], tracer=tracer)
    with server:
        small_load(server)
        server.settle()
    calls, errors = tracer.summary()
    true("strace -c saw only %d calls" % calls, calls > 10)
    equal("writes", total(server.stats(), "writes"), calls)
    equal("eagain_writes", total(server.stats(), "eagain_writes"), errors)


suite = run_counts(Nginx)
for mode in ("observe", "auto"):
    suite.run("nginxsmallbuffer_%s_counts_equal_strace" % mode, counts_equal, NginxSmallBuffer,
              small_load, mode)
suite.run("nginx_writes_equal_strace_summary", summary_equals)
suite.end()
