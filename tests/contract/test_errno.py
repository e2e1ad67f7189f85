#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""For every row of symbols.def: result and errno of failing and succeeding calls are the same
with and without the shim, in every mode, on descriptors it knows and on ones it meets just now.
"""
import functools
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

ODD = "4711"  # what ct_errno.c puts into errno before each call

MODES = {
    "off": {"mode": "off"},
    "observe": {"mode": "observe"},
    "adapt": {"mode": "adapt"},
    "grow": {"mode": "adapt", "UNSPIN_WRITE": "grow"},
    "nofile": {"mode": "adapt", "UNSPIN_STATS": "0"},
}


@functools.lru_cache
def native(how, *name):
    return subprocess.run([ct.helper("ct_errno"), how, *name], capture_output=True, text=True,
                          check=True, timeout=30).stdout


def difference(wanted, got):
    pairs = list(zip(wanted.splitlines(), got.splitlines()))
    lines = [f"{w} -> {g}" for w, g in pairs if w != g]
    if len(wanted.splitlines()) != len(got.splitlines()):
        lines.append(f"{len(wanted.splitlines())} lines natively, {len(got.splitlines())} here")
    return lines


def compare(how, wanted, place, settings, *name):
    r = ct.Run(place, [ct.helper("ct_errno"), how, *name], place.env(**settings))
    ct.check(r.rc == 0, f"{how} {name}: exit code {r.rc} {r.err[-200:]}")
    wrong = difference(wanted, r.out)
    ct.check(not wrong, f"{how}: native -> here: {wrong[:4]}")


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


@ct.case("native_runs_agree_with_each_other")
def repeatable():
    # Otherwise a difference would say nothing about the shim.
    for how in ("raw", "known"):
        ct.check_equal(difference(native(how), native.__wrapped__(how)), [], how)


def add(mode, settings):
    @ct.case(f"errno_and_results_in_mode_{mode}")
    def same():
        with ct.Place() as place:
            for how in ("raw", "known"):
                compare(how, native(how), place, settings)


for mode, settings in MODES.items():
    add(mode, settings)


@ct.case("errno_when_the_row_is_the_first_call_of_all")
def first():
    # Each symbol in a process of its own: its call is the one that makes the statistics file.
    lines = native("raw").splitlines()
    with ct.Place() as place:
        for name in dict.fromkeys(line.split()[0] for line in lines):
            compare("raw", native("raw", name), place, MODES["grow"], name)


ct.main()
