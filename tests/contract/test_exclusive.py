#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""EPOLLEXCLUSIVE on a host's listeners: the host notices nothing, nobody waits in vain."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

NATIVE = dict(LD_PRELOAD=None)
FORCED = dict(mode="adapt", UNSPIN_WAKE="exclusive")
AUTO = dict(mode="adapt", UNSPIN_WAKE="auto")
OFF = (dict(mode="adapt", UNSPIN_WAKE="off"), dict(mode="observe", UNSPIN_WAKE="exclusive"),
       dict(mode="off", UNSPIN_WAKE="exclusive"))


def traced(r):
    return [line for line in r.ok().out.splitlines() if line.startswith("trace ")]


def run_in(place, scenario, **settings):
    return ct.run("ct_workers", scenario, place=place, **settings).ok()


def totals(place, name):
    """Over all processes of the place: the helper forks workers."""
    return sum(place.stats(pid).total(name) for pid in os.listdir(place.dir) if pid.isdigit())


def same(scenario, exclusive):
    @ct.case(f"exclusive_{scenario}_is_as_natively")
    def compare():
        native = ct.run("ct_exclusive", scenario, **NATIVE)
        wanted = traced(native)
        ct.check(len(wanted) > 10, "the helper says nothing")
        for settings in (FORCED, AUTO, *OFF):
            r = ct.run("ct_exclusive", scenario, **settings)
            got = traced(r)
            wrong = [(g, w) for g, w in zip(got, wanted) if g != w]
            ct.check(not wrong and len(got) == len(wanted), f"{settings}: {wrong[:3]}")
            if "exclusive" in r.facts:
                ct.check_equal(r.fact("exclusive"), exclusive if settings is FORCED else 0,
                               f"exclusive registrations with {settings}")
            if settings in OFF and hasattr(r, "kept"):
                ct.check_equal(r.kept.total("exclusive_adds"), 0, f"exclusive_adds with {settings}")
            if scenario in ("one_set", "hosts_own") and hasattr(r, "kept"):
                for name, value in r.expects.items():
                    ct.check_equal(r.kept.total(name), value, name)


same("host_changes", 2)
same("wrong_sets", 2)
same("edge", 1)  # the second ADD; what was added before the second is not added anew
same("copies", 2)
same("one_set", 0)
same("hosts_own", 0)
same("fork_after_add", 2)


@ct.case("exclusive_forced_translates_the_hosts_changes")
def translates():
    r = ct.run("ct_exclusive", "host_changes", **FORCED).ok()
    ct.check(r.kept.total("mods_translated") >= 4, f"{r.kept.total('mods_translated')} MODs")
    ct.check_equal(r.kept.globals["odd_events"], 0, "odd events")


@ct.case("exclusive_ends_the_herd")
def herd():
    native = ct.run("ct_workers", "herd", **NATIVE).ok().fact("wakes")
    ct.check(native > 500, f"no herd here: {native} wake-ups for 200 connections")
    for settings in (AUTO, FORCED):
        with ct.Place() as place:
            r = run_in(place, "herd", **settings)
            got = r.fact("wakes")
            ct.check(got <= 300, f"{settings}: {got} wake-ups for 200 connections")
            ct.check(totals(place, "exclusive_adds") >= 3, "too few registrations treated")
            # Short connections take turns at first only: 16 of each worker.
            turns = totals(place, "exclusive_turns")
            ct.check(turns <= 4 * 16, f"{settings}: {turns} turns for 600 short connections")


@ct.case("exclusive_shares_out_connections_that_stay")
def kept():
    for settings in (AUTO, FORCED):
        with ct.Place() as place:
            r = run_in(place, "herd_kept", **settings)
            ct.check(r.fact("wakes") <= 300, f"{settings}: {r.fact('wakes')} wake-ups")
            ct.check(r.fact("most") <= 60, f"{settings}: one worker took {r.fact('most')} of 200")


@ct.case("exclusive_sees_a_herd_whose_quickest_takes_all")
def quickest():
    native = ct.run("ct_workers", "quickest", **NATIVE).ok()
    ct.check(native.fact("wakes") > 400 and native.fact("most") > 100,
             f"not what is meant: {native.facts}")
    with ct.Place() as place:
        run_in(place, "quickest", **AUTO)
        ct.check(totals(place, "exclusive_adds") >= 1, "the herd was not seen")


@ct.case("exclusive_off_leaves_the_herd")
def off():
    for settings in OFF:
        with ct.Place() as place:
            r = run_in(place, "herd", **settings)
            ct.check(r.fact("wakes") > 500, f"{settings}: {r.fact('wakes')} wake-ups")
            if os.path.isdir(place.dir):
                ct.check_equal(totals(place, "exclusive_adds"), 0, "exclusive_adds")


def hands_on(scenario):
    """The worker that was woken does not accept: the other must hear of the connection."""
    @ct.case(f"exclusive_worker_{scenario}_and_another_is_woken")
    def passed_on():
        for settings in (FORCED, AUTO):
            with ct.Place() as place:
                run_in(place, scenario, **settings)
                ct.check(totals(place, "exclusive_adds") >= 1, f"{settings}: nothing was treated")
                if settings is FORCED:
                    ct.check(totals(place, "wakeups_passed_on") >= 1, "nothing was passed on")


for name in ("unregisters", "disarms", "closes", "closes_set", "ignores", "has_no_descriptors"):
    hands_on(name)

ct.main()
