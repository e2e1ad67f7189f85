#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Threads: small stacks, many, more than rows, every way to end; totals stay exact."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import ct


def compare(r):
    expects = dict(r.expects)
    if "any_stalls" in r.facts:
        for name in ct.MUST_NOT_FIRE:
            expects[name] = r.kept.total(name)
    ct.compare(r.kept, expects)
    if "thread_rows" in r.facts:
        ct.check_equal(len(r.kept.threads), r.fact("thread_rows"), "thread rows in use")
        ct.check_equal(r.kept.globals["threads_untracked"], 0, "threads without a row: not reused")


def add(name, what="", **settings):
    @ct.case(f"threads_{name}{what}")
    def threads():
        compare(ct.run("ct_threads", name, **settings).ok())


add("sequence")
add("sequence", "_grow", mode="adapt", UNSPIN_WRITE="grow")
add("together")
add("together", "_with_8_rows", UNSPIN_STATS_THREADS=8)
add("ends")
add("destructors")
add("before_sockets")
add("detached")
add("no_row", UNSPIN_STATS_THREADS=8)


@ct.case("threads_write_to_what_another_closes")
def close_race():
    for _ in range(2):
        ct.run("ct_threads", "close_race", mode="adapt", UNSPIN_WRITE="grow").ok()


@ct.case("threads_created_in_a_burst")
def burst():
    compare(ct.run("ct_threads", "burst").ok())


@ct.case("threads_with_the_smallest_stack")
def min_stack():
    # The first one makes the file, and sweeps a directory full of dead ones.
    subprocess.run([ct.helper("ct_threads"), "min_stack"], check=True, capture_output=True)
    with ct.Place() as place:
        os.makedirs(place.dir, 0o700)
        for pid in range(4100000, 4100100):
            with open(place.path(pid), "wb") as f:
                f.write(ct.layout().magic.to_bytes(8, "little") + bytes(8192))
        r = ct.Run(place, [*ct.SWEEPER, ct.helper("ct_threads"), "min_stack"],
                   place.env(mode="adapt", UNSPIN_WRITE="grow")).ok()
        r.kept = place.stats(r.fact("sweeper"))
        compare(r)
        ct.check(r.kept.total("eagain_writes") > 0, "nothing stalled")
        ct.check(len(os.listdir(place.dir)) < 50, "nothing was swept")


@ct.case("threads_that_dropped_dead_leave_their_rows")
def dead():
    # 41 rows for 41 threads: all are taken when the first of the others comes.
    r = ct.run("ct_threads", "dead", UNSPIN_STATS_THREADS=41).ok()
    compare(r)
    ct.check_equal(r.kept.globals["threads_untracked"], 0, "threads_untracked")


@ct.case("threads_without_rows_cost_a_look_each")
def looks():
    ct.need_tool("strace")
    with ct.Place() as place:
        names = ct.traced_calls(place, "ct_threads", "together", UNSPIN_STATS_THREADS=8)
        calls = names.count("tgkill")
        # 150 threads, 8 rows; all of them looked at by each thread without one: more than 1100.
        ct.check(8 <= calls <= 160, f"{calls} calls")


@ct.case("threads_without_rows_are_said")
def untracked():
    r = ct.run("ct_threads", "together", UNSPIN_STATS_THREADS=8).ok()
    ct.check(r.kept.globals["threads_untracked"] > 100, "threads_untracked")


ct.main()
