#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Forks and many threads beside waits; the limits of waiting, measured."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

LIMIT_MS = 40
LIMITED = {"UNSPIN_BLOCK_MAX_MS": LIMIT_MS, "UNSPIN_OVERRIDE": 0}


def closes_at_once(run, reference):
    ct.check(run.median("close_tenths") <= 50, f"closing took {run.facts['close_tenths']} / 10 ms")


def closes_though_held(run, reference):
    if run.totals:
        ct.check(run.facts.get("held") == [1], "the writer was not caught at a retry")
    closes_at_once(run, reference)


def waits_on(run, reference):
    """The vfork child's closes were none of this process's."""
    if run.variant in tr.WAITING and run.totals:
        ct.check_equal(run.fact("waiting"), 1, "waiting")
        ct.check_equal(run.fact("finished"), 1, "finished")
        ct.check_equal(run.total("reused_in_wait"), 0, "reused_in_wait")


def all_end(run, reference):
    took = run.fact("took_tenths") - reference.fact("took_tenths")
    ct.check(took < 3000, f"200 calls ended {took / 10} ms later than bare")
    if run.variant in tr.WAITING and run.totals:
        ct.check(run.fact("waiting") >= 50, f"only {run.fact('waiting')} waited at once")


def within_limit(run, reference):
    took, limit = run.median("took_tenths"), LIMIT_MS * 10
    ct.check(took <= limit + 50, f"{run.facts['took_tenths']} / 10 ms; the limit is {LIMIT_MS} ms")
    if run.variant == "block" and run.totals:
        ct.check(took >= limit - 10, f"it waited {took / 10} ms only: nothing was tested")


tr.scene("fork", "tr_threads", "fork", judge=closes_at_once)
tr.scene("fork_held", "tr_threads", "fork_held", judge=closes_though_held,
         variants=("bare", "spin", "block"))
tr.scene("vfork", "tr_threads", "vfork", judge=waits_on)
tr.scene("many_threads", "tr_threads", "many", judge=all_end)
for name in ("limit", "drip", "turn"):
    tr.scene(f"limit_{name}", "tr_threads", name, judge=within_limit, settings=LIMITED)
for name in ("drip", "turn"):
    tr.mutant("no_limit", f"limit_{name}", "tr_threads", name, judge=within_limit)
tr.mutant("locks", "fork", "tr_threads", "fork", judge=closes_at_once)
tr.main()
