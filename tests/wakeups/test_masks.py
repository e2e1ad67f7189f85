#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The mask of epoll_pwait, epoll_pwait2, ppoll and pselect: a signal it lets in is taken inside the
wait, which says EINTR; one it keeps out is not; in every mode as natively, stretched waits included.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from wakeups import *

PROGRAM = os.path.join(B, "helpers", "wk_masks")
WAITS = ("epoll_pwait", "epoll_pwait2", "ppoll", "pselect")
SCENARIOS = {"pending": WAITS, "during": WAITS, "kept_out": WAITS,
             "polls_let_in": WAITS[:2], "polls_keep_out": WAITS[:2], "short_waits": WAITS[:2]}
# Stretching begins after 1024 idle polls in a row; a thread that loses the processor begins anew.
TRIES = 4
STRETCHED = ("polls_let_in", "polls_keep_out", "short_waits")


def run(place, scenario, wait, settings=None):
    """What the program said, and how many of its polls were stretched."""
    with tempfile.TemporaryDirectory(dir=place) as own:
        env = environment(own, settings or {})
        if settings is not None:
            env["LD_PRELOAD"] = LIB
        p = subprocess.run([PROGRAM, scenario, wait], env=env, capture_output=True, text=True,
                           timeout=60)
        stats = os.path.join(own, "stats")
        files = [os.path.join(stats, f) for f in os.listdir(stats)] if settings is not None else []
        stretched = sum(statistics(f)["totals"]["stretched_polls"] for f in files)
        return p.stdout or p.stderr, stretched


def try_one(place, scenario, wait):
    native, _ = run(place, scenario, wait)
    wrong = []
    for name, settings in modes().items():
        is_stretching = name in ("stretch", "all") and scenario in STRETCHED
        for _ in range(TRIES):
            said, stretched = run(place, scenario, wait, settings)
            if said != native or stretched or not is_stretching:
                break
        if said != native:
            wrong.append(f"{name}: {said.split()}, natively {native.split()}")
        if is_stretching and not stretched:
            wrong.append(f"{name}: no poll was stretched in {TRIES} runs")
    say("not ok" if wrong else "ok", f"masks_{scenario}_{wait}", "; ".join(wrong) or
        " ".join(native.replace("fact ", "").split()))


def main():
    must_exist(PROGRAM, LIB)
    place = tempfile.mkdtemp(prefix="unspin-masks-")
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda case: try_one(place, *case),
                          [(s, w) for s, waits in SCENARIOS.items() for w in waits]))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
