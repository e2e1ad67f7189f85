#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""For every row of symbols.def: result and errno of failing and succeeding calls are the same
with and without the shim, in every mode, on descriptors it knows and on ones it meets just now.

One thing may differ, and only where buffers may grow: a write which a full buffer refuses natively
(EAGAIN) may be taken whole. Then errno is what it was before the call, as after any success.
"""
import errno
import functools
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

ODD = "4711"  # what ct_errno.c puts into errno before each call

# Where no buffer may grow, not a line may differ. Nobody reads from the full socket, so waiting
# does not help spin and block either.
EXACT = {
    "off": {"mode": "off"},
    "observe": {"mode": "observe"},
    "write_off": {"mode": "adapt", "UNSPIN_WRITE": "off"},
    "spin": {"mode": "adapt", "UNSPIN_WRITE": "spin"},
    "block": {"mode": "adapt", "UNSPIN_WRITE": "block", "UNSPIN_BLOCK_MAX_MS": "2"},
}
GROWING = {
    "adapt": {"mode": "adapt"},
    "grow": {"mode": "adapt", "UNSPIN_WRITE": "grow"},
    "nofile": {"mode": "adapt", "UNSPIN_STATS": "0"},
}
HOWS = ("raw", "known", "fixed")

# The results of writes that the full buffer refuses natively, had it taken all.
REFUSED = ("full", "full_again", "full_still")
TAKEN = {"sendfile": "100", "sendfile64": "100", "sendmmsg": "1"}
AGAIN = str(errno.EAGAIN)


@functools.lru_cache
def native(how, *name):
    return subprocess.run([ct.helper("ct_errno"), how, *name], capture_output=True, text=True,
                          check=True, timeout=30).stdout


def is_taken(wanted, got):
    """The native line is a refused write, the other the same write taken whole."""
    name, label, *result = wanted.split()
    return (label in REFUSED and result == ["-1", AGAIN] and
            got.split() == [name, label, TAKEN.get(name, "10"), ODD])


def difference(wanted, got, may_grow=False):
    pairs = list(zip(wanted.splitlines(), got.splitlines()))
    lines = [f"{w} -> {g}" for w, g in pairs if w != g and not (may_grow and is_taken(w, g))]
    if len(wanted.splitlines()) != len(got.splitlines()):
        lines.append(f"{len(wanted.splitlines())} lines natively, {len(got.splitlines())} here")
    return lines


def compare(how, wanted, place, settings, *name, may_grow=False):
    """Compares; returns how many writes were taken that are refused natively."""
    r = ct.Run(place, [ct.helper("ct_errno"), how, *name], place.env(**settings))
    ct.check(r.rc == 0, f"{how} {name}: exit code {r.rc} {r.err[-200:]}")
    wrong = difference(wanted, r.out, may_grow)
    ct.check(not wrong, f"{how}: native -> here: {wrong[:4]}")
    return sum(map(is_taken, wanted.splitlines(), r.out.splitlines()))


@ct.case("every_row_has_a_case")
def every_row():
    lines = native("raw").splitlines()
    missing = [line for line in lines if line.endswith("has no case")]
    ct.check(not missing, str(missing))
    ct.check(len(lines) > 600, f"only {len(lines)} lines")
    names = {line.split()[0] for line in lines}
    # Every row must have been seen to succeed and, where it can fail, to fail.
    good = {line.split()[0] for line in lines if line.split()[3] == ODD}
    bad = {line.split()[0] for line in lines if line.split()[3] != ODD}
    ct.check_equal(sorted(names - good), [], "rows that never succeeded")
    ct.check_equal(sorted(names - bad - {"closefrom"}), [], "rows that never failed")


@ct.case("every_write_is_refused_natively_by_a_full_buffer")
def every_refusal():
    # Otherwise what may differ would not be tested.
    for how in HOWS:
        lines = [line.split() for line in native(how).splitlines()]
        results = {tuple(r) for name, label, *r in lines
                   if label in REFUSED and not name.endswith("close")}
        ct.check_equal(results, {("-1", AGAIN)}, f"{how}: writes into the full buffer")
        ct.check(sum(label == "full_again" for _, label, *_ in lines) >= 11, f"{how}: too few")


@ct.case("native_runs_agree_with_each_other")
def repeatable():
    # Otherwise a difference would say nothing about the shim.
    for how in HOWS:
        ct.check_equal(difference(native(how), native.__wrapped__(how)), [], how)


def add_exact(mode, hows, settings):
    @ct.case(f"errno_and_results_in_mode_{mode}")
    def same():
        with ct.Place() as place:
            for how in hows:
                compare(how, native(how), place, settings)


def add_growing(mode, settings):
    @ct.case(f"errno_and_results_in_mode_{mode}")
    def same_or_taken():
        with ct.Place() as place:
            taken = [compare(how, native(how), place, settings, may_grow=True) for how in HOWS]
            # auto may find that the buffer is not why the socket stalls.
            ct.check(mode != "grow" or all(taken), f"nothing refused natively was taken: {taken}")


for mode, settings in EXACT.items():
    add_exact(mode, HOWS, settings)
for mode, settings in GROWING.items():
    add_growing(mode, settings)
    # The host chose the size, and it is to be respected: again not a line may differ.
    add_exact(f"{mode}_without_override", ("fixed",), dict(settings, UNSPIN_OVERRIDE="0"))


@ct.case("errno_when_the_row_is_the_first_call_of_all")
def first():
    # Each symbol in a process of its own: its call is the one that makes the statistics file.
    lines = native("raw").splitlines()
    with ct.Place() as place:
        for name in dict.fromkeys(line.split()[0] for line in lines):
            compare("raw", native("raw", name), place, GROWING["grow"], name, may_grow=True)


ct.main()
