#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Idle polls wait a little, and nothing that the host is to learn waits with them."""
import sys

sys.dont_write_bytecode = True
import ct

NATIVE = dict(LD_PRELOAD=None)
ACTING = (dict(mode="adapt", UNSPIN_WAKE="auto"), dict(mode="adapt", UNSPIN_WAKE="stretch"))
OFF = (dict(mode="adapt", UNSPIN_WAKE="off"), dict(mode="adapt", UNSPIN_WAKE="exclusive"),
       dict(mode="observe", UNSPIN_WAKE="stretch"))
LONG = 5000  # us: ten times the default, so that what is wrongly kept waiting shows


def run(scenario, **settings):
    return ct.run("ct_stretch", scenario, **settings).ok()


@ct.case("stretch_idle_polling_costs_little")
def idle():
    native = run("idle", **NATIVE)
    for settings in ACTING:
        r = run("idle", **settings)
        ct.check(r.fact("polls") * 10 < native.fact("polls"),
                 f"{settings}: {r.fact('polls')} polls, natively {native.fact('polls')}")
        ct.check(r.fact("cpu_us") * 4 < native.fact("cpu_us"),
                 f"{settings}: {r.fact('cpu_us')} us, natively {native.fact('cpu_us')}")
        # What is counted is what the host did: each stretched poll is one wait.
        ct.check(r.kept.total("stretched_polls") <= r.kept.total("idle_polls") <=
                 r.kept.total("waits") == r.fact("polls"), f"{r.kept.totals}")


@ct.case("stretch_off_changes_nothing")
def off():
    for settings in OFF:
        r = run("idle", **settings)
        ct.check_equal(r.kept.total("stretched_polls"), 0, f"stretched_polls with {settings}")


@ct.case("stretch_event_ends_it")
def event():
    r = run("event", mode="adapt", UNSPIN_WAKE="stretch", UNSPIN_STRETCH_MAX_US=LONG)
    ct.check(r.kept.total("stretched_ns") > 100_000_000, "nothing was stretched")
    ct.check(r.fact("median_us") < LONG / 5, f"events wait {r.fact('median_us')} us")


@ct.case("stretch_signal_ends_it")
def signalled():
    r = run("signalled", mode="adapt", UNSPIN_WAKE="stretch", UNSPIN_STRETCH_MAX_US=LONG)
    ct.check(r.kept.total("stretched_ns") > 100_000_000, "nothing was stretched")
    ct.check(r.fact("median_us") < LONG / 5, f"a handler's flag waits {r.fact('median_us')} us")


@ct.case("stretch_flag_waits_no_longer_than_the_bound")
def flag():
    r = run("flag", mode="adapt", UNSPIN_WAKE="stretch")
    ct.check(r.kept.total("stretched_ns") > 10_000_000, "nothing was stretched")
    ct.check(r.fact("median_us") < 1000, f"a flag waits {r.fact('median_us')} us")


@ct.case("stretch_what_only_looks_idle_is_left_alone")
def not_idle():
    for settings in ACTING:
        r = run("not_idle", **settings)
        ct.check_equal(r.kept.total("stretched_polls"), 0, f"stretched_polls with {settings}")


ct.main()
