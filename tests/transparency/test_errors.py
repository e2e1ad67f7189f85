#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peers that vanish: ECONNRESET once, then EPIPE; SIGPIPE when and only when it comes natively."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402


# Calls whose peer vanishes only afterwards wait this long for nothing.
SHORT = {"UNSPIN_BLOCK_MAX_MS": 10}


def was_held(run, reference):
    if run.totals:
        ct.check(run.facts.get("held") == [1], "the writer was not caught at a retry")
        ct.check_equal(run.total("replayed_errors"), 1, "replayed_errors")


def has_waited(run, reference):
    if run.totals and run.variant in tr.WAITING:
        ct.check(run.total("blocked_calls") > 0, "no call waited: nothing was tested")


for family in ("tcp", "unix"):
    tr.scene(f"sigpipe_{family}", "tr_gone", family,
             judge=has_waited if family == "tcp" else None, settings=SHORT)
tr.scene("reset_in_wait_next", "tr_gone", "next", judge=has_waited)
tr.scene("reset_storm", "tr_gone", "storm")
# What the retry itself met is owed to the host. so_error: documented in tr_reset.c.
for call in "write send sendmsg writev sendfile sendmmsg splice read so_error dup known_dup".split():
    tr.scene(f"reset_met_by_retry_{call}", "tr_reset", call, "write", judge=was_held,
             variants=("spin", "block"))
tr.scene("reset_met_by_sendfile", "tr_reset", "write", "sendfile", judge=was_held,
         variants=("bare", "spin", "block"))
tr.mutant("eats_error", "reset_met_by_retry", "tr_reset", "write", "write")
tr.mutant("eats_error", "reset_storm", "tr_gone", "storm")
for family in ("tcp", "unix"):
    tr.mutant("early_signal", f"sigpipe_{family}", "tr_gone", family)
tr.main()
