#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Waits on the members' own numbers (shim/polled.h): whatever is in the set is heard at once; what
the shim cannot know of is late once at most, and then the set is waited for itself."""
import sys

sys.dont_write_bytecode = True
import ct

# Of the 5000 us, 4000 are used. Waits that are late are late by half of that in the median.
SETTINGS = dict(mode="adapt", UNSPIN_WAKE="mask", UNSPIN_STRETCH_MAX_US=5000, UNSPIN_WRITE="off")
NATIVE = dict(LD_PRELOAD=None)


def run(scenario, **settings):
    return ct.run("ct_polled", scenario, **settings).ok()


def known(scenario):
    @ct.case(f"polled_{scenario}_is_heard_at_once")
    def at_once():
        run(scenario, **NATIVE)
        r = run(scenario, **SETTINGS)
        ct.check(r.kept.total("polled_waits") > 10, "nothing was kept waiting")
        # Some: a socket that has just got room may be told of before it is used.
        ct.check(r.kept.total("masks") < 10, "registrations changed")
        ct.check(r.fact("median_us") < 1000, f"{r.fact('median_us')} us")


for name in ("counter", "timer", "tube", "nested", "room"):
    known(name)


def unknown(scenario):
    @ct.case(f"polled_{scenario}_is_late_once")
    def once():
        run(scenario, **NATIVE)
        r = run(scenario, **SETTINGS)
        # A socket that was filled is not treated again until its writer has gone on.
        ct.check(r.kept.total("masked_waits") > 2, "nothing was kept waiting")
        # One more for a processor that others have; room takes its time by itself.
        most = 4 if scenario == "filled" else 2
        ct.check(r.fact("late") <= most, f"late {r.fact('late')} times of 10, median {r.fact('median_us')}")


for name in ("unseen", "outlived", "two_sets", "copied_set", "added", "filled"):
    unknown(name)


@ct.case("polled_socket_closed_by_another_thread_sends_its_fin_in_time")
def closed():
    r = run("closed", **SETTINGS)
    ct.check(r.kept.total("polled_waits") > 10, "nothing was kept waiting")
    ct.check(r.fact("median_us") < 5000, f"{r.fact('median_us')} us")


@ct.case("polled_socket_removed_by_another_thread_is_not_told_of")
def removed():
    r = run("removed", **SETTINGS)
    ct.check(r.kept.total("polled_waits") > 10, "nothing was kept waiting")
    # A thread may lose the processor with the event in its hand.
    ct.check(r.fact("wrong") <= 2, f"{r.fact('wrong')} of 10")


ct.main()
