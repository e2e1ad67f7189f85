#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Growth ahead of the first stall: a known class stalls no more; limits are kept all the same."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

GROWING = ("bare", "auto", "grow")
FREE = {"UNSPIN_OVERRIDE": 1, "TR_WARM": None}
MAX = 262144
# A growth gets at most an eighth of what is left, and nothing below half of what it wants
# (policy/safety.h): of 224 KB the crowd is refused with 0.8 MB unspent, of which 105 KB are given.
BUDGET = 4000000
LEARNT_AFTER = 3  # connections


def no_stall_when_known(run, reference):
    stalls = run.facts["stalls"]
    if run.totals:
        ct.check(sum(stalls[LEARNT_AFTER:]) == 0, f"stalls of each connection: {stalls}")
        ct.check(run.total("ahead_growths") > 0, "nothing grew ahead")
    ct.check(sum(reference.facts["stalls"][LEARNT_AFTER:]) > 0, "bare, nothing stalls either")


def not_beyond_the_file(run, reference):
    ct.check_equal(run.fact("small_grown"), 0, "growth for 5 KB")
    ct.check(run.fact("large_grown") < 600000, f"{run.fact('large_grown')} bytes for 300 KB")


def within_maximum(run, reference):
    for when in ("sndbuf", "later"):
        ct.check(run.fact(when) <= MAX, f"{when} {run.fact(when)}, the maximum is {MAX}")
    if run.totals:
        ct.check(run.fact("sndbuf") > run.fact("before"), "it did not grow")


def unchanged(run, reference):
    for when in ("sndbuf", "later"):
        ct.check_equal(run.fact(when), run.fact("before"), when)


def within_budget(run, reference):
    ct.check(run.fact("grown") <= BUDGET, f"{run.fact('grown')} bytes added, the budget is {BUDGET}")
    if run.totals:
        ct.check(run.fact("grown") > BUDGET // 2, "the budget was not used: nothing was tested")
        ct.check_equal(run.fact("late_large"), 0, "growth for a long write when the budget is low")
        ct.check(run.fact("again") > 0, "what closed sockets had was not given back")
        ct.check_equal(run.total("sndbuf_budget_used"), 0, "sndbuf_budget_used at the end")
        ct.check(run.total("sndbuf_budget_refusals") > 0, "no refusal was counted")


def small_ones_last(run, reference):
    within_budget(run, reference)
    if run.totals:
        ct.check(run.fact("late_small") > 0, "a short write was refused with the long ones")


SCENES = (
    ("class", no_stall_when_known, FREE),
    ("file", not_beyond_the_file, FREE),
    ("length", within_maximum, dict(FREE, UNSPIN_SNDBUF_MAX=MAX)),
    ("lowat", unchanged, FREE),
    ("budget", small_ones_last, dict(FREE, UNSPIN_SNDBUF_MAX=MAX, UNSPIN_SNDBUF_BUDGET=BUDGET)),
    ("threads", within_budget, dict(FREE, UNSPIN_SNDBUF_MAX=MAX, UNSPIN_SNDBUF_BUDGET=BUDGET)),
)
for name, judge, settings in SCENES:
    tr.scene(f"ahead_{name}", "tr_ahead", name, judge=judge, variants=GROWING, settings=settings)
    if name != "class":
        tr.mutant("greedy", f"ahead_{name}", "tr_ahead", name, judge=judge)
tr.scene("ahead_host_fixed", "tr_ahead", "length", judge=unchanged, variants=GROWING,
         settings=dict(FREE, UNSPIN_OVERRIDE=0))
tr.main()
