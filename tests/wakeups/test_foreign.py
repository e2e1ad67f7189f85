#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Registrations the library cannot see (io_uring, raw system calls, another process) switch the
policies off for their set, with a line in the statistics; what only looks so does not."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from wakeups import *

PROGRAM = os.path.join(B, "helpers", "wk_foreign")
FOREIGN = ("io_uring", "raw", "raw_by_number", "by_the_child")
LOOK_ALIKES = ("two_sets", "outlived", "closed_unseen", "many", "other_thread", "inherited")


class Run:
    def __init__(self, place, scenario, settings):
        with tempfile.TemporaryDirectory(dir=place) as own:
            env = environment(own, settings)
            env["LD_PRELOAD"] = LIB
            limit = ["/bin/sh", "-c", 'ulimit -n 8192; exec "$@"', "sh"]
            p = subprocess.run([*limit, PROGRAM, scenario], env=env, capture_output=True, text=True,
                               timeout=60)
            self.rc, self.err = p.returncode, p.stderr
            facts = dict(line.split()[1:3] for line in p.stdout.splitlines())
            self.set = int(facts["set"])
            stats = os.path.join(own, "stats")
            self.files = {int(n): statistics(os.path.join(stats, n)) for n in os.listdir(stats)}
        self.process = int(facts["child"]) if "child" in facts else min(self.files)
        file = self.files[self.process]
        rows = [e for e in file["epolls"] if e["epfd"] == self.set]
        self.row = rows[0] if rows else None
        self.lines = [(d["fd"], d["reason"]) for d in file["decisions"] if d["reason"] == "not_seen"]
        self.totals = file["totals"]

    def treated(self):
        return [self.totals[name] for name in ("stretched_polls", "exclusive_adds")]


def expect_foreign(place, scenario, settings={}):
    r = Run(place, scenario, settings)
    if r.rc == 77:
        say("skip", f"foreign_{scenario}", "no io_uring here, or not IORING_OP_EPOLL_CTL")
        return
    wrong = []
    if r.rc:
        wrong.append(f"exit code {r.rc}: {r.err}")
    if not r.row or not r.row["is_foreign"]:
        wrong.append(f"not noticed: {r.row}")
    if r.lines != [(r.set, "not_seen")]:
        wrong.append(f"lines in the decisions: {r.lines}")
    if r.row and r.row["unknown_events"] != r.totals["unknown_events"]:
        wrong.append(f"{r.totals['unknown_events']} unknown events in all")
    if scenario == "left_alone" and any(r.treated()):
        wrong.append(f"treated: {r.treated()}")
    say("not ok" if wrong else "ok", f"foreign_{scenario}", "; ".join(wrong) or
        f"{r.row['unknown_events']} unknown events")


def expect_known(place, scenario, settings={}):
    r = Run(place, scenario, settings)
    wrong = []
    if r.rc:
        wrong.append(f"exit code {r.rc}: {r.err}")
    for pid, file in r.files.items():
        wrong += [f"process {pid}, set {e['epfd']}: foreign" for e in file["epolls"] if e["is_foreign"]]
    if scenario == "treated" and not all(r.treated()):
        wrong.append(f"not treated: {r.treated()}")
    if not r.row or not r.row["waits"]:
        wrong.append("the set was not seen at all")
    say("not ok" if wrong else "ok", f"known_{scenario}", "; ".join(wrong) or
        f"{r.totals['unknown_events']} events of forgotten registrations")


def main():
    must_exist(PROGRAM, LIB)
    place = tempfile.mkdtemp(prefix="unspin-foreign-")
    try:
        for scenario in FOREIGN:
            expect_foreign(place, scenario)
        forced = {"UNSPIN_WAKE": ",".join(policies())}
        expect_foreign(place, "left_alone", forced)
        expect_known(place, "treated", forced)
        for scenario in LOOK_ALIKES:
            expect_known(place, scenario)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
