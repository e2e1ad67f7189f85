#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Signals during a wait end it; what handlers and other threads write stays between the calls."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

LATEST = 50  # tenths of ms from the handler to the call's end, median
BRIEF = {"UNSPIN_BLOCK_MAX_MS": 5}  # the handler's own waits, all of which are in vain


def at_once(run, reference):
    ct.check(run.median("end_tenths") <= LATEST, f"ended late: {run.facts['end_tenths']}")
    if run.totals and run.variant in tr.WAITING:
        ct.check(sum(run.facts["waiting"]) >= 4, f"it did not wait: {run.facts['waiting']}")


def handler_ran(run, reference):
    # Growth may take all at once: then there is nothing left to interrupt.
    if run.variant != "grow":
        ct.check(run.fact("mark_calls") > 3, "too few interruptions to test anything")


for name in ("plain", "restart"):
    tr.scene(f"eintr_{name}", "tr_signal", name, judge=at_once)
tr.scene("eintr_storm", "tr_signal", "storm")
for name in ("same", "other", "threads"):
    tr.scene(f"writes_by_{name}", "tr_signal", name, judge=handler_ran,
             settings=BRIEF if name == "other" else None)
for name in ("plain", "restart"):
    tr.mutant("ignores_eintr", f"eintr_{name}", "tr_signal", name, judge=at_once)
tr.mutant("returns_eintr", "eintr_storm", "tr_signal", "storm")
for name in ("same", "threads"):
    tr.mutant("by_number", f"writes_by_{name}", "tr_signal", name)
tr.mutant("one_state", "writes_by_other", "tr_signal", "other")
tr.main()
