#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two users of one writing helper, a spinner and a yielder: two classes, each treated its own way.

Without the callers (UNSPIN_CALLERS=0, or a libc that does not find frames) they are one class,
whose every spin is unlearnt by the yield after it, so that nobody is waited for.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

RESPONSES, TRIES = 40, 6
SETTINGS = {"UNSPIN_BLOCK_MAX_MS": 1, "UNSPIN_CALLERS": None, "TR_WARM": None}


class Play(tr.Play):
    """Also keeps the rows of the classes."""

    def read_totals(self, place):
        path = place.path(self.pid)
        self.classes = ct.Stats(path).classes if os.path.exists(path) else []
        return super().read_totals(place)


def play(**settings):
    run = Play("auto", "tr_callers", [], {**SETTINGS, **settings}, 25).must()
    ct.check(run.fact("spins") > RESPONSES and run.fact("yields") > RESPONSES,
             f"{run.fact('spins')} and {run.fact('yields')} stalls: too few")
    ct.check_equal(len({c.site for c in run.classes}), 1, "places that write")
    return run


def told_apart(run):
    ct.check_equal(len(run.classes), 2, "classes")
    ct.check_equal(len({c.path for c in run.classes} - {0}), 2, "paths")
    ct.check_equal(len({c.caller_1 for c in run.classes} - {0}), 2, "callers of the helper")
    scores = sorted((c.spin_score, c.yield_score) for c in run.classes)
    ct.check(scores[0][0] == 0 and scores[0][1] >= 3 and scores[1][0] >= 3 and
             scores[1][1] == 0, f"(spin, yield) scores {scores}")
    got = run.total("blocked_calls")
    ct.check(got >= RESPONSES * TRIES // 2, f"the spinner was waited for {got} times only")


def one_class(run):
    ct.check_equal([c.path for c in run.classes], [0], "paths of the classes")
    ct.check_equal(run.total("blocked_calls"), 0, "blocked_calls")


@ct.case("users_of_one_helper_are_told_apart")
def apart():
    run = play()
    if run.classes and not any(c.path for c in run.classes):
        raise ct.Skip("this libc does not find frames (before glibc 2.35)")
    told_apart(run)


@ct.case("users_of_one_helper_are_told_apart_by_one_caller")
def apart_by_one():
    run = play(UNSPIN_CALLERS=1)
    if run.classes and not any(c.path for c in run.classes):
        raise ct.Skip("this libc does not find frames (before glibc 2.35)")
    told_apart(run)


@ct.case("without_callers_they_are_one_class")
def together():
    one_class(play(UNSPIN_CALLERS=0))


@ct.case("without_frames_they_are_one_class")
def blind():
    one_class(play(LD_PRELOAD=f"{ct.LIB} {tr.mutant_path('no_find_object')}"))


tr.main()
