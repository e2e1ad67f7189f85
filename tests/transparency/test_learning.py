#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who is waited for: spinners, always; a thread that yields, never again after its first yield.

Each response of tr_learn is six tries: one episode of spinning, where the host spins; three in a
row are believed (policy/class.h).
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

TRIES, RESPONSES, BELIEVED = 6, 40, 3
ALONE = {"UNSPIN_BLOCK_MAX_MS": 1, "TR_WARM": None}


def blocked_at_most(calls):
    def judge(run, reference):
        got = run.total("blocked_calls")
        ct.check(got <= calls, f"{got} calls waited, at most {calls} should have: "
                 f"{run.fact('stalls')} stalls, {run.fact('yields')} yields")
    return judge


def known_after(spinning):
    """Calls that may wait when a host spins in so many responses before it yields first."""
    return max(0, (spinning - BELIEVED) * TRIES + TRIES - 1)


def nearly_all_wait(run, reference):
    if run.totals:
        got = run.total("blocked_calls")
        ct.check(got >= RESPONSES * TRIES * 7 // 10, f"a spinner was waited for {got} times only")


AUTO = ("bare", "auto")
tr.scene("learn_yielder", "tr_learn", "yields", judge=blocked_at_most(0), variants=AUTO,
         settings=ALONE)
tr.scene("learn_sleeper", "tr_learn", "sleeps", judge=blocked_at_most(0), variants=AUTO,
         settings=ALONE)
tr.scene("learn_crowd", "tr_learn", "crowd", judge=blocked_at_most(0), variants=AUTO,
         settings=ALONE)
tr.scene("learn_spinner", "tr_learn", "spins", judge=nearly_all_wait, variants=AUTO,
         settings=ALONE)
for n in (1, 3, 8, 20):
    tr.scene(f"learn_mixed_{n}", "tr_learn", "mixed", n, variants=AUTO, settings=ALONE,
             judge=blocked_at_most(known_after(n)))
# The first stall of the new habit is still waited for: until the host has seen one, it cannot show.
tr.scene("learn_begins_to_yield", "tr_learn", "begins", 10, variants=AUTO, settings=ALONE,
         judge=blocked_at_most(known_after(10) + 1))
# A reactor whose every stall ends in epoll_wait, with readers that do read.
tr.scene("learn_reactor", "tr_edge", "et", judge=lambda run, reference: ct.check_equal(
    run.total("blocked_calls"), 0, "blocked_calls"), variants=("auto",), settings=ALONE)
for habit in ("yields", "sleeps", "crowd"):
    tr.forced_fails("block", f"learn_{habit}", "tr_learn", habit, judge=blocked_at_most(0),
                    settings=ALONE)
tr.main()
