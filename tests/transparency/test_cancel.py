#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Cancelled threads: no byte sent goes uncounted, nothing stays locked behind them."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

ROUNDS = 30
SETTINGS = {"UNSPIN_BLOCK_MAX_MS": 50}


def left_nothing(run, reference):
    ct.check(run.median("close_tenths") <= 50, f"closing takes long: {run.facts['close_tenths']}")
    if run.variant == "block" and run.totals:
        ct.check(run.fact("full") >= ROUNDS * 3 // 4,
                 f"writes on the socket were finished in only {run.fact('full')} rounds afterwards")
        ct.check_equal(run.total("contended"), 0, "stalls not examined")


for kind in ("deferred", "async"):
    tr.scene(f"cancel_{kind}", "tr_cancel", kind, ROUNDS, judge=left_nothing, settings=SETTINGS)
    tr.mutant("cancel_point", f"cancel_{kind}", "tr_cancel", kind, ROUNDS, settings=SETTINGS)
tr.main()
