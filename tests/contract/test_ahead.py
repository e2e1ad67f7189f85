#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""What is done before and inside a write: a host sees a fuller result and nothing else, only where
the settings allow it, and full writes cost no questions to the kernel.

Class memory and the maximum are tests/transparency/test_ahead.py's.
"""
import collections
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

ODD, LONG, EAGAIN = 4711, 65536, 11  # ct_ahead.c: errno before the call; the write's length
GROW = {"mode": "adapt", "UNSPIN_WRITE": "grow"}
AUTO = {"mode": "adapt", "UNSPIN_WRITE": "auto"}
SPIN = {"mode": "adapt", "UNSPIN_WRITE": "spin"}
BLOCK = {"mode": "adapt", "UNSPIN_WRITE": "block", "UNSPIN_BLOCK_MAX_MS": "2000"}
WITH_LENGTH = ("by_write", "by_send", "by_sendto", "by_sendfile", "by_dontwait")
VECTORS = ("by_writev", "by_sendmsg")


def ahead(scenario, **settings):
    return ct.run("ct_ahead", scenario, **settings).ok()


def native_facts(scenario):
    out = subprocess.run([ct.helper("ct_ahead"), scenario], capture_output=True, text=True,
                         check=True, timeout=20).stdout
    return {w[1]: int(w[2]) for w in map(str.split, out.splitlines())}


def totals(r, *names):
    return {name: r.kept.total(name) for name in names}


@ct.case("ahead_a_long_write_succeeds_at_once_and_nothing_stalls")
def long_write():
    for scenario in WITH_LENGTH:
        ct.check(native_facts(scenario)["sent"] < LONG, f"{scenario} does not stall natively")
        for settings in (GROW, AUTO):
            r = ahead(scenario, **settings)
            what = f"{scenario} {settings['UNSPIN_WRITE']}"
            ct.check_equal((r.fact("sent"), r.fact("errno")), (LONG, ODD), f"{what}: sent, errno")
            ct.check_equal(totals(r, "ahead_growths", "growths", "eagain_writes", "short_writes",
                                  "retries", "finished_calls", "writes", "write_bytes"),
                           {"ahead_growths": 1, "growths": 1, "eagain_writes": 0,
                            "short_writes": 0, "retries": 0, "finished_calls": 0, "writes": 1,
                            "write_bytes": LONG}, what)
            row = r.kept.socket(r.fact("fd"))
            ct.check_equal((r.kept.strategy(row), r.kept.reason(row), row.sndbuf_now),
                           ("GROW", "GREW_AHEAD_LENGTH", r.fact("after")), f"{what}: the row")


@ct.case("ahead_a_near_readers_window_is_let_open_first")
def window_opens():
    # A window that stays as it is: eight responses are left alone, then the buffer grows.
    r = ahead("opening_above", **AUTO)
    if not r.fact("window"):
        raise ct.Skip("this kernel does not tell the reader's window (Linux 5.4)")
    ct.check_equal(r.fact("first"), 9, "the first response with a larger buffer")
    ct.check_equal(ahead("opening_above", **GROW).fact("first"), 1, "write=grow")
    for scenario in ("opening_below", "opening_far_above", "opening_loopback"):
        ct.check_equal(ahead(scenario, **AUTO).fact("first"), 1, scenario)


@ct.case("ahead_no_window_is_waited_for_where_connections_are_not_kept")
def window_of_one():
    ct.check_equal(ahead("opening_closed", **AUTO).fact("left"), 128, "of 160 connections")
    ct.check_equal(ahead("opening_kept", **AUTO).fact("left"), 160, "of 160 that are kept")


@ct.case("ahead_a_vector_is_finished_inside_the_call")
def vector():
    # Its length is not read before the kernel has: it stalls, is counted, and goes on.
    for scenario in VECTORS:
        ct.check(native_facts(scenario)["sent"] < LONG, f"{scenario} does not stall natively")
        r = ahead(scenario, **GROW)
        ct.check_equal((r.fact("sent"), r.fact("errno")), (LONG, ODD), f"{scenario}: sent, errno")
        ct.check_equal(totals(r, "ahead_growths", "growths", "short_writes", "finished_calls",
                              "writes", "write_bytes"),
                       {"ahead_growths": 0, "growths": 1, "short_writes": 1, "finished_calls": 1,
                        "writes": 1, "write_bytes": LONG}, scenario)
        ct.check(1 <= r.kept.total("retries") <= 2, f"retries {r.kept.total('retries')}")
        ct.check(0 < r.kept.total("retry_bytes") < LONG, "retry_bytes")
        row = r.kept.socket(r.fact("fd"))
        ct.check_equal((row.finished_calls, row.write_bytes), (1, LONG), f"{scenario}: the row")


@ct.case("ahead_nothing_changes_unless_acting")
def not_acting():
    settings = ({"mode": "off"}, {"mode": "observe"}, {"mode": "observe", "UNSPIN_WRITE": "grow"},
                {"mode": "adapt", "UNSPIN_WRITE": "off"}, dict(GROW, UNSPIN_OVERRIDE="0"),
                dict(AUTO, UNSPIN_OVERRIDE="0"), dict(GROW, UNSPIN_SNDBUF_BUDGET="0"))
    for scenario in WITH_LENGTH + VECTORS:
        wanted = native_facts(scenario)
        for one in settings:
            r = ahead(scenario, **one)
            got = {name: values[-1] for name, values in r.facts.items()}
            ct.check_equal(got, wanted, f"{scenario} {one}")
            if hasattr(r, "kept"):
                ct.check_equal(totals(r, "growths", "retries", "short_writes"),
                               {"growths": 0, "retries": 0, "short_writes": 1}, str(one))


@ct.case("ahead_spin_and_block_raise_no_buffer")
def alone():
    # Forced, they stand alone, so that each can be measured by itself.
    for scenario in WITH_LENGTH + VECTORS:
        for settings in (SPIN, dict(BLOCK, UNSPIN_BLOCK_MAX_MS="2")):
            r = ahead(scenario, **settings)
            ct.check_equal((r.fact("after"), r.fact("errno")), (r.fact("before"), ODD),
                           f"{scenario} {settings}: buffer, errno")
            ct.check_equal(totals(r, "growths", "short_writes"), {"growths": 0, "short_writes": 1},
                           f"{scenario} {settings}")
            ct.check(r.kept.total("retries") > 0, f"{scenario} {settings}: no retry")


@ct.case("ahead_a_blocking_write_has_no_stall_to_spare")
def blocking():
    for settings in (GROW, AUTO, SPIN, BLOCK):
        r = ahead("by_blocking", **settings)
        ct.check_equal((r.fact("sent"), r.fact("after"), r.fact("errno")),
                       (LONG, r.fact("before"), ODD), f"{settings}: sent, buffer, errno")
        ct.check_equal(totals(r, "growths", "retries", "short_writes", "eagain_writes"),
                       {"growths": 0, "retries": 0, "short_writes": 0, "eagain_writes": 0},
                       str(settings))


@ct.case("ahead_a_refused_large_demand_leaves_room_for_a_small_one")
def unequal():
    # 1 MB asks for 1.3 MB, of which the share of a budget of 1 MB is not even half; 64 KB for
    # 107 KB, which it is.
    for settings in (GROW, AUTO):
        r = ahead("unequal", UNSPIN_SNDBUF_BUDGET="1m", **settings)
        ct.check_equal((r.fact("large"), r.fact("large_again")), (0, 0), "granted to large demands")
        ct.check(r.fact("small") >= LONG, f"granted to the small demand: {r.fact('small')}")
        ct.check_equal(totals(r, "growths", "ahead_growths"), {"growths": 1, "ahead_growths": 1},
                       "growths")
        ct.check(r.kept.globals["sndbuf_budget_refusals"] >= 2, "refusals")
        ct.check_equal(r.kept.globals["sndbuf_budget_used"], 0, "held when all are closed")
        # In the ring: a socket's own reason may by now be that of its stall.
        reasons = [r.kept.reason(d) for d in r.kept.decisions]
        ct.check_equal(reasons.count("NO_BUDGET"), 2, f"NO_BUDGET among the decisions {reasons}")
        small = r.kept.socket(r.fact("small_fd"))
        ct.check_equal(r.kept.reason(small), "GREW_AHEAD_LENGTH", "reason of the small one")


@ct.case("ahead_of_a_stalled_write_errno_is_known")
def known_errno():
    # The first refusal of a small write comes from the fast path, where nobody noted errno: it
    # stays. While the socket is stalled each write is looked at before it is made.
    r = ahead("refused_twice", **BLOCK)
    ct.check_equal((r.fact("sent"), r.fact("errno")), (100, ODD), "sent, errno")
    ct.check(r.fact("waited_ms") >= 20, f"it waited for {r.fact('waited_ms')} ms")
    ct.check_equal(totals(r, "eagain_writes", "blocked_calls", "finished_calls"),
                   {"eagain_writes": 2, "blocked_calls": 1, "finished_calls": 1}, "block")
    for settings in (SPIN, dict(AUTO, UNSPIN_OVERRIDE="0"), {"mode": "observe"}, {"mode": "off"}):
        r = ahead("refused_twice", **settings)
        ct.check_equal((r.fact("sent"), r.fact("errno")), (0, EAGAIN), f"{settings}: sent, errno")


def calls_between_marks(scenario, **settings):
    """System calls the traced scenario made between its two getppid calls, by name."""
    with ct.Place() as place:
        calls, is_between = collections.Counter(), False
        for name in ct.traced_calls(place, "ct_ahead", scenario, **settings):
            if name == "getppid":
                is_between = not is_between
            elif is_between:
                calls[name] += 1
        return dict(calls)


@ct.case("full_writes_ask_the_kernel_nothing")
def full_writes():
    # Once looked at; whether the buffer is as it was, raised, or was stalled before.
    ct.need_tool("strace")
    for scenario in ("road_fresh", "road_grown", "road_after_stall", "road_blocking",
                     "road_local"):
        for settings in (AUTO, dict(GROW, UNSPIN_OVERRIDE="0"), SPIN, {"mode": "observe"}):
            ct.check_equal(calls_between_marks(scenario, **settings),
                           {"sendto": 30, "recvfrom": 30}, f"{scenario} {settings}")


ct.main()
