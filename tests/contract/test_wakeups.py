#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Useless wake-ups are counted one by one, and what only looks like one is not."""
import subprocess
import sys

sys.dont_write_bytecode = True
import ct


def compare_idle(r):
    got = r.kept.total("idle_polls")
    ct.check(r.fact("idle_min") <= got <= r.fact("idle_max"),
             f"idle_polls {got}, wanted {r.fact('idle_min')} to {r.fact('idle_max')}")


def add(name):
    @ct.case(f"wakeups_{name}")
    def wakeups():
        for mode in ("observe", "adapt"):
            # tried_out needs true stalls: the size it fixed is not to be raised.
            r = ct.run("ct_wakeups", name, mode=mode, UNSPIN_OVERRIDE=0).ok()
            expects = dict(r.expects)
            if "idle_max" in r.facts:
                compare_idle(r)
                expects["idle_polls"] = r.kept.total("idle_polls")
            ct.compare(r.kept, expects)
            if "unused_of_set" in r.facts:
                row = [e for e in r.kept.epolls if e.epfd == r.fact("epfd")]
                ct.check_equal([e.unused_out for e in row], [r.fact("unused_of_set")],
                               "unused_out of the set")


for scenario in subprocess.run([ct.helper("ct_wakeups")], capture_output=True, text=True,
                               check=True).stdout.split():
    add(scenario)

ct.main()
