#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Provoke 23, see 23: useless wake-ups by two threads on several sets and sockets are attributed by
`unspin stat --json` to the thread, the set and the socket they were of, exactly.

Policies that cure a waste would change the numbers: counted in mode observe, with wake=off, and with
exclusive, which follows listeners in another way and here has none to treat.
Idle polls are bounded on both sides: a thread that is kept from running for 20 us has worked as far
as the library knows.
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from wakeups import *

PROGRAM = os.path.join(B, "helpers", "wk_waste")
COUNTERS = ("unused_out", "dry_in", "herd_accepts", "idle_polls")
IDLE_PERMILLE = 700 # of 230 polls 230 were counted on a quiet machine
ROWS = {"thread": ("threads", "tid"), "set": ("epolls", "epfd"), "socket": ("sockets", "fd")}


def run(place, settings):
    env = environment(place, settings)
    env["LD_PRELOAD"] = LIB
    p = subprocess.run([PROGRAM], env=env, capture_output=True, text=True, timeout=60)
    if p.returncode:
        raise RuntimeError(p.stderr)
    stats = os.path.join(place, "stats")
    (name,) = os.listdir(stats)
    facts = {}
    for line in p.stdout.splitlines():
        _, key, count = line.split()
        what, which, number = key.split(":")
        facts[what, which, int(number)] = int(count)
    return facts, statistics(os.path.join(stats, name))


def is_right(what, wanted, got):
    if got is None:
        return False
    return wanted * IDLE_PERMILLE // 1000 <= got <= wanted if what == "idle_polls" else got == wanted


def compare(name, settings):
    with tempfile.TemporaryDirectory(prefix="unspin-waste-") as place:
        facts, file = run(place, settings)
    for which, (section, key) in ROWS.items():
        wrong, seen = [], []
        for (what, of, number), wanted in facts.items():
            if of != which:
                continue
            rows = [row for row in file[section] if row[key] == number]
            # A number may have been another descriptor before: closed rows are kept.
            got = sum(row[what] for row in rows) if rows else None
            seen.append(f"{what} {got}")
            if not is_right(what, wanted, got):
                wrong.append(f"{what} of {which} {number}: {got}, wanted {wanted}")
        # What is of nobody named above is nobody's.
        for row in file[section]:
            wrong += [f"{what} of {which} {row[key]}: {row[what]}, wanted 0" for what in COUNTERS
                      if row.get(what) and (what, which, row[key]) not in facts]
        say("not ok" if wrong else "ok", f"waste_{name}_by_{which}", "; ".join(wrong or seen))


def main():
    must_exist(PROGRAM, LIB)
    compare("observe", {"UNSPIN_MODE": "observe"})
    compare("off", {"UNSPIN_WAKE": "off"})
    compare("exclusive", {"UNSPIN_WAKE": "exclusive"})
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
