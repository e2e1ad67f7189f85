#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The hunt for lost wake-ups: random worlds of producers and consumers, natively and with the
wake-up policies in every way they can be told to act. README.md says what the worlds are.

    test_hunt.py                       a short set in every mode, then the mutants (make check)
    test_hunt.py --minutes 10          seeds from the clock until the time is over (make soak-wakeups)
    test_hunt.py --mutants no_ring     only mutants: each must be caught, the control must not
    test_hunt.py --seeds 7 9 -m all    these, in this mode

A failure prints the command that repeats it, and how often five more runs failed.
"""
import argparse
import concurrent.futures
import itertools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from wakeups import *

PROGRAM = os.path.join(B, "hunt")
SHORT_S = 15
# The last two once found that a host's MOD was told of our EPOLLEXCLUSIVE (watch_lock).
BASE_SEEDS = (*range(20), 95270679679, 95270679527)
MUTANT_SEEDS = 150
CONTROL_SEEDS = 30
HANG_MS = 1000  # for mutants, which are meant to hang
RUN_LIMIT_S = 90
AGAIN = 5
FAILURES_MAX = 12
JOBS = max(2, min(4, os.cpu_count() or 2))


class Result:
    def __init__(self, out, rc):
        lines = out.splitlines()
        self.facts = [x for x in lines if x.startswith("fact ")]
        self.violations = [x.split(" ", 1)[1] for x in lines if x.startswith("violation ")]
        if rc not in (0, 1) or bool(self.violations) != (rc == 1):
            self.violations.append(f"judge: exit code {rc}")

    def rules(self):
        return {v.split(":")[0] for v in self.violations}


class Runner:
    def __init__(self, place):
        self.place, self.native_facts = place, {}

    def run(self, seed, library=None, settings={}, *options):
        argv = [PROGRAM, *options, *(["--preload", library] if library else []), "--seed", str(seed)]
        try:
            p = subprocess.run(argv, env=environment(self.place, settings), timeout=RUN_LIMIT_S,
                               capture_output=True, text=True, errors="replace")
            return Result(p.stdout, p.returncode)
        except subprocess.TimeoutExpired:
            return Result("", "none: the judge itself hangs")

    def mode(self, seed, name, settings):
        """One run; under the library the same tokens per channel as natively."""
        result = self.run(seed, None if name == "native" else LIB, settings)
        if name == "native" and not result.violations:
            self.native_facts[seed] = result.facts
        elif not result.violations and result.facts != self.native_facts.get(seed, result.facts):
            result.violations.append(f"facts: {result.facts}, natively {self.native_facts[seed]}")
        return result


def command(seed, name, settings):
    words = [f"{k}={v}" for k, v in settings.items()] + [os.path.relpath(PROGRAM, ROOT)]
    if name != "native":
        words += ["--preload", os.path.relpath(LIB, ROOT)]
    return shlex.join(words + ["--seed", str(seed)])


class Campaign:
    """Seeds through all modes, until they or the time are over."""

    def __init__(self, runner, chosen, seconds):
        self.runner, self.modes = runner, {"native": {}, **chosen}
        self.end = time.monotonic() + seconds
        self.count = dict.fromkeys(self.modes, 0)
        self.failures = {name: [] for name in self.modes}
        self.lock = threading.Lock()

    def seed(self, seed):
        for name, settings in self.modes.items():
            result = self.runner.mode(seed, name, settings)
            self.count[name] += 1
            if result.violations:
                again = sum(bool(self.runner.mode(seed, name, settings).violations)
                            for _ in range(AGAIN))
                self.failures[name].append(
                    f"seed {seed}: {'; '.join(result.violations[:3])} [{again} of {AGAIN} more runs "
                    f"failed] repeat: {command(seed, name, settings)}")
        self.runner.native_facts.pop(seed, None)

    def failed(self):
        return sum(map(len, self.failures.values()))

    def work(self, seeds):
        used = []
        while True:
            with self.lock:
                if time.monotonic() > self.end or self.failed() > FAILURES_MAX:
                    return used
                seed = next(seeds, None)
            if seed is None:
                return used
            used.append(seed)
            self.seed(seed)

    def go(self, seeds):
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            parts = [pool.submit(self.work, seeds) for _ in range(JOBS)]
        return sorted(itertools.chain(*(p.result() for p in parts)))

    def report(self, used):
        drawn = [s for s in used if s not in BASE_SEEDS]
        note(f"seeds: {len(used) - len(drawn)} of the first {len(BASE_SEEDS)}" +
             (f", {drawn[0]}-{drawn[-1]}" if drawn else ""))
        for name, failures in self.failures.items():
            if failures:
                say("not ok", f"hunt_{name}", "\n".join(failures[:3]) +
                    (f"\nand {len(failures) - 3} more" if len(failures) > 3 else ""))
            elif self.count[name]:
                say("ok", f"hunt_{name}", f"{self.count[name]} worlds")
            else:
                say("skip", f"hunt_{name}", "no time was left")


def time_seeds():
    return itertools.count(int(time.time()) % 10**8 * 1000)


def soak(campaign):
    stop = threading.Event()

    def tell():
        while not stop.wait(60):
            note(f"{campaign.count} failures {campaign.failed()}")

    threading.Thread(target=tell, daemon=True).start()
    used = campaign.go(time_seeds())
    stop.set()
    campaign.report(used)


# What a policy counts when it acts; each must have, or the worlds prove nothing about it.
ACTS = {"exclusive": ("exclusive_adds", "exclusive_turns", "mods_translated", "wakeups_passed_on"),
        "stretch": ("stretched_polls",), "mask": ("masked_waits", "masks", "polled_waits"),
        "gather": ("gathered_waits",)}
ACT_SEEDS = 240  # until found: polled waits took 50


def acts(runner, word):
    """Seeds until the policy has done everything it can do."""
    missing, settings = set(ACTS[word]), modes()[word]
    for seed in range(ACT_SEEDS):
        with tempfile.TemporaryDirectory(dir=runner.place) as place:
            one = Runner(place)
            one.run(seed, LIB, settings)
            for file in os.listdir(os.path.join(place, "stats")):
                totals = statistics(os.path.join(place, "stats", file))["totals"]
                missing -= {name for name in missing if totals[name]}
        if not missing:
            say("ok", f"acts_{word}", f"{', '.join(ACTS[word])} after {seed + 1} worlds")
            return
    say("not ok", f"acts_{word}", f"never in {ACT_SEEDS} worlds: {sorted(missing)}")


def hunt_mutant(runner, path):
    """A policy that forgets a rule is caught for that reason; the control is not."""
    name, wanted = os.path.basename(path)[:-2], set(header(path, "caught"))
    library, begin, seen = compile_mutant(path, runner.place), time.monotonic(), set()
    if not library:
        return
    if wanted == {"nothing"}:
        broken = [(s, v) for s in range(CONTROL_SEEDS) for v in runner.run(s, library).violations]
        say("not ok" if broken else "ok", f"control_{name}", str(broken[:3]) if broken else
            f"breaks no rule in {CONTROL_SEEDS} worlds")
        return
    seeds = [int(s) for s in header(path, "seeds")]
    for n, seed in enumerate(seeds + [s for s in range(MUTANT_SEEDS) if s not in seeds]):
        rules = runner.run(seed, library, {}, "--hang", str(HANG_MS)).rules()
        seen |= rules
        if wanted & rules:
            say("ok", f"mutant_{name}", f"{', '.join(sorted(wanted & rules))} by seed {seed}, "
                f"run {n + 1}, {time.monotonic() - begin:.1f} s")
            return
    say("not ok", f"mutant_{name}", f"not caught by {MUTANT_SEEDS} seeds: wanted {sorted(wanted)}, "
        f"saw {sorted(seen)}")


def hunt_mutants(runner, only):
    paths = [p for p in mutants() if "late-timer" not in header(p, "caught") and
             (not only or os.path.basename(p)[:-2] in only)]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(lambda p: hunt_mutant(runner, p), paths))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--mutants", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("-m", "--mode", action="append", choices=["native", *modes()])
    args = parser.parse_args()
    must_exist(PROGRAM, LIB)
    chosen = {k: v for k, v in modes().items() if not args.mode or k in args.mode}
    place = tempfile.mkdtemp(prefix="unspin-hunt-")
    try:
        runner = Runner(place)
        if args.mutants is not None:
            hunt_mutants(runner, args.mutants)
        elif args.minutes:
            soak(Campaign(runner, chosen, args.minutes * 60))
        elif args.seeds:
            campaign = Campaign(runner, chosen, 1e9)
            campaign.report(campaign.go(iter(args.seeds)))
        else:
            campaign = Campaign(runner, chosen, SHORT_S)
            campaign.report(campaign.go(itertools.chain(BASE_SEEDS, time_seeds())))
            for word in ACTS:
                acts(runner, word)
            hunt_mutants(runner, [])
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
