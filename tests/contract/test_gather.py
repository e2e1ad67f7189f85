#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Thin waits on a wanted processor are gathered; no signal and no timer waits for it. That more events
then come together is for the benchmark to show: it depends on the scheduler."""
import sys

sys.dont_write_bytecode = True
import ct

NATIVE = dict(LD_PRELOAD=None)
FORCED = dict(mode="adapt", UNSPIN_WAKE="gather")
OFF = (dict(mode="adapt", UNSPIN_WAKE="off"), dict(mode="adapt", UNSPIN_WAKE="exclusive,stretch"),
       dict(mode="observe", UNSPIN_WAKE="gather"))


def run(scenario, **settings):
    return ct.run("ct_gather", scenario, timeout=60, **settings).ok()


@ct.case("gather_thin_waits")
def thin():
    r = run("thin", **FORCED)
    ct.check(r.kept.total("gathered_waits") > 20, f"{r.kept.total('gathered_waits')} gathered")
    ct.check(r.kept.total("gathered_ns") > 0, "in no time")
    ct.check_equal(r.kept.total("waits"), r.fact("waits"), "waits")


@ct.case("gather_off_changes_nothing")
def off():
    for settings in OFF:
        r = run("thin", **settings)
        ct.check_equal(r.kept.total("gathered_waits"), 0, f"gathered_waits with {settings}")


@ct.case("gather_signals_end_the_wait")
def signalled():
    native = run("signalled", **NATIVE)
    ct.check_equal(native.fact("interrupted"), native.fact("handled"), "natively interrupted")
    r = run("signalled", **FORCED)
    ct.check(r.kept.total("gathered_waits") > 20, f"{r.kept.total('gathered_waits')} gathered")
    ct.check(r.fact("handled") > 10, f"{r.fact('handled')} handled")
    # A handler that runs while the shim naps must be heard of like one that runs in the wait.
    ct.check_equal(r.fact("interrupted"), r.fact("handled"), "interrupted")


@ct.case("gather_ends_where_waits_are_thick_again")
def thickens():
    r = run("thickens", **FORCED)
    # The quickest 64 waits in a row, in us. With a nap of 100 us before each: 6400 at least.
    ct.check(r.fact("thin") >= 6400, f"thin: {r.fact('thin')} us, not gathered")
    ct.check(r.fact("thick") < 3000, f"thick: {r.fact('thick')} us, still gathered")
    ct.check(r.fact("thin_again") >= 6400, f"thin again: {r.fact('thin_again')} us, not gathered")
    reasons = [ct.layout().names["reason"][d.reason] for d in r.kept.decisions]
    ct.check_equal(reasons, ["GATHER_NOT_THIN"], "decisions")


@ct.case("gather_timers_are_left_alone")
def timers():
    r = run("timers", **FORCED)
    ct.check_equal(r.kept.total("gathered_waits"), 0, "gathered_waits")


ct.main()
