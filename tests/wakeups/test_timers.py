#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Timers run as late as natively: loops of 1 ms, 10 ms and 1 s, by the timeout of epoll_wait,
epoll_pwait2 and poll and by timerfd, in default settings and with all policies forced.

All twelve loops run at once for two seconds (build/helpers/wk_timers); native runs and runs under
the library alternate. Of each loop the median and the 90th percentile of the lateness count, and of
each of these the smallest of all rounds. Noise (two cores, other work) only ever adds: a round in
which a loop ran undisturbed shows what the library itself adds, and what it adds is in every round.
So a further round may clear a loop, and never hides a delay.

BOUND_US is half of the delay to be caught, 500 us (half the default of stretch_max_us). A loop under the
library is at its best native best + 500 us late if such a delay exists; that is over the bound as
long as the native best is not itself disturbed by more than the other half. LOADED_US sees to
that: a 1 ms loop takes 50 us (timer slack) + about 30. Above it, more rounds; in the end a skip.

The kernel ends long timeouts up to 0.1 % late (select_estimate_accuracy; 0.5 % with a nice value),
by choice and at random: 1 ms of 1 s, so there the bound is wider and timerfd, which has no such
slack, is what tells. Mutants that add 0.5 ms to every wait, or to every fifth, are caught.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from wakeups import *

PROGRAM = os.path.join(B, "helpers", "wk_timers")
BOUND_US, LOADED_US = 250, 250
ROUNDS, ROUNDS_MAX = 3, 9
QUANTILES = ("median", "p90")


def settings():
    return {"default": {}, "all": {"UNSPIN_WAKE": ",".join(policies())}}


def slack_us(kind, period_us):
    if kind == "timerfd":
        return 0
    return period_us // (200 if os.nice(0) > 0 else 1000)


class Loops:
    """The smallest of each loop's quantiles over the rounds so far, in us."""

    def __init__(self, place, library=None, settings={}):
        self.env = environment(place, settings)
        if library:
            self.env["LD_PRELOAD"] = library
        self.best, self.earliest, self.rounds = {}, {}, 0

    def run(self):
        out = subprocess.run([PROGRAM], env=self.env, check=True, capture_output=True, text=True,
                             timeout=60).stdout
        for line in out.splitlines():
            kind, period, _, earliest, *quantiles = line.split()
            loop = (kind, int(period))
            self.earliest[loop] = min(int(earliest) / 1000, self.earliest.get(loop, 0))
            for name, ns in zip(QUANTILES, quantiles):
                key = (*loop, name)
                self.best[key] = min(int(ns) / 1000, self.best.get(key, 1e9))
        self.rounds += 1

    def late(self, native):
        """Loops that are later than natively by more than the bound."""
        return [f"{kind} {period} us, {name}: {us:.0f} us, natively {native.best[kind, period, name]:.0f}"
                for (kind, period, name), us in self.best.items()
                if us - native.best[kind, period, name] > BOUND_US + slack_us(kind, period)]

    def is_disturbed(self):
        return any(us > LOADED_US for (_, period, _), us in self.best.items() if period < 1000000)

    def early(self):
        return [f"{loop}: {us:.0f} us" for loop, us in self.earliest.items() if us < 0]

    def summary(self, native):
        worst = max(self.best, key=lambda k: self.best[k] - native.best[k] - slack_us(*k[:2]))
        return (f"{self.rounds} rounds; most later: {worst[0]} {worst[1]} us {worst[2]} "
                f"{self.best[worst]:.0f} us, natively {native.best[worst]:.0f}")


def measure(native, others, rounds):
    for _ in range(rounds):
        native.run()
        for other in others:
            other.run()


def compare(native, tried):
    """Alternating rounds until all is well, or more would not help."""
    measure(native, tried.values(), ROUNDS)
    while native.rounds < ROUNDS_MAX and (
            native.is_disturbed() or any(t.late(native) for t in tried.values())):
        measure(native, tried.values(), 1)
    for name, loops in tried.items():
        late, early = loops.late(native), loops.early()
        if early:
            say("not ok", f"timers_{name}", f"too early: {early}")
        elif native.is_disturbed():
            say("skip", f"timers_{name}", f"machine too loaded: {native.rounds} rounds, natively {native.best}")
        else:
            say("not ok" if late else "ok", f"timers_{name}",
                "; ".join(late) if late else loops.summary(native))


def catch(native, place, path):
    """Every run of the mutant must be over the bound: no luck is needed."""
    name = os.path.basename(path)[:-2]
    library = compile_mutant(path, place)
    if not library:
        return
    loops = Loops(place, library)
    for _ in range(ROUNDS):
        loops.run()
    late = loops.late(native)
    if native.is_disturbed():
        say("skip", f"mutant_{name}", "machine too loaded")
    else:
        say("ok" if late else "not ok", f"mutant_{name}", f"{len(late)} of {len(loops.best)} figures late: "
            + "; ".join(late[:2]) if late else f"not caught: {loops.summary(native)}")


def main():
    must_exist(PROGRAM, LIB)
    place = tempfile.mkdtemp(prefix="unspin-timers-")
    try:
        native = Loops(place)
        compare(native, {name: Loops(place, LIB, chosen) for name, chosen in settings().items()})
        for path in mutants("late-timer"):
            catch(native, place, path)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
