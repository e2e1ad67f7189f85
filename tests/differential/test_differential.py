#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The same random programs of socket calls with and without the shim: every rule kept, every
deterministic fact equal. README.md says what the programs do and which rules there are.

    test_differential.py                 a short set in every mode, then the mutants (make check)
    test_differential.py --minutes 10    time-based seeds until the time is over (make soak)
    test_differential.py --mutants       only: is each library that breaks a rule caught, and the control not?
    test_differential.py --seeds 7 9 -m block        these, in this mode

A failure prints the command that repeats it. What failed once is tried again five times, so that
the report says how often it fails.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
B = os.path.join(ROOT, os.environ.get("B", "build"))
LIB = os.path.abspath(os.path.join(ROOT, os.environ.get("LIB", os.path.join(B, "libunspin.so"))))
PROGRAM = os.path.join(B, "differential")
CC = os.environ.get("CC", "cc")

# One of each kind of scene comes first (seed mod 13), so these see all of them; the last two are
# further chop scenes, which see all strokes only together.
BASE_SEEDS = [*range(13), 22, 35]
SHORT_S = 22
RUN_LIMIT_S = 90
HANG_MS = 1200  # for mutants, which are meant to hang
AGAIN = 5
JOBS = max(2, min(4, os.cpu_count() or 2))

_lock = threading.Lock()
_failed = 0


def say(word, name, detail=""):
    global _failed
    with _lock:
        _failed += word == "not ok"
        print(f"{word} {name}" + (": " + " | ".join(detail.split("\n")) if detail else ""), flush=True)


def modes():
    """Every way the shim can be told to act: the words come from its own table."""
    found = {"default": {}, "observe": {"UNSPIN_MODE": "observe"}}
    with open(os.path.join(ROOT, "shim", "config.def"), encoding="utf-8") as f:
        text = f.read()
    for env in ("WRITE", "WAKE"):
        row = re.search(r'OPT_(?:ENUM|SET)\(\w+, "%s", \w+,\s*"([^"]*)"' % env, text)
        for word in row.group(1).split("|") if row else ():
            if word != "auto":
                found[word if env == "WRITE" else f"wake_{word}"] = {f"UNSPIN_{env}": word}
    return found


class Result:
    """What one run of the program said."""

    def __init__(self, out, rc):
        lines = out.splitlines()
        self.rc = rc
        self.facts = [x for x in lines if x.startswith("fact ")]
        self.trace = [x for x in lines if x.startswith("trace ")]
        self.violations = [x.split(" ", 1)[1] for x in lines if x.startswith("violation ")]
        self.notes = [x.split(" ", 1)[1] for x in lines if x.startswith("note ")]
        if rc not in (0, 1):
            self.violations.append(f"judge exit code {rc}")
        if rc == 0 and not any("connections" in n for n in self.notes):
            self.violations.append("judge said nothing")

    def compare(self, native):
        """Adds the facts that differ from those of the native run."""
        for kind in ("facts", "trace"):
            ours, theirs = getattr(self, kind), getattr(native, kind)
            for n in range(max(len(ours), len(theirs))):
                a = theirs[n] if n < len(theirs) else "nothing"
                b = ours[n] if n < len(ours) else "nothing"
                if a != b:
                    self.violations.append(f"{kind.rstrip('s')} line {n}: natively '{a}', here '{b}'")
                    break

    def rules(self):
        return {v.split(" ", 1)[0].split(":")[0] for v in self.violations}


class Runner:
    def __init__(self, place):
        self.place = place
        self.native_results = {}

    def environment(self, settings):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("UNSPIN_") and k != "LD_PRELOAD"}
        env.update(settings, UNSPIN_STATS_DIR=os.path.join(self.place, "stats"))
        return env

    def run(self, seed, library=None, settings={}, *options):
        argv = [PROGRAM, *options, *(["--preload", library] if library else []), str(seed)]
        try:
            p = subprocess.run(argv, env=self.environment(settings), timeout=RUN_LIMIT_S,
                               capture_output=True, text=True, errors="replace")
            return Result(p.stdout, p.returncode)
        except subprocess.TimeoutExpired as e:
            return Result((e.stdout or b"").decode(errors="replace"), f"none: no end in {RUN_LIMIT_S} s")

    def native(self, seed):
        if seed not in self.native_results:
            self.native_results[seed] = self.run(seed)
        return self.native_results[seed]

    def under(self, seed, settings):
        result = self.run(seed, LIB, settings)
        native = self.native(seed)
        if not native.violations:
            result.compare(native)
        return result


def command(seed, settings):
    words = [f"{k}={v}" for k, v in settings.items()]
    words += [os.path.relpath(PROGRAM, ROOT), "--verbose"]
    if settings is not NATIVE:
        words += ["--preload", os.path.relpath(LIB, ROOT)]
    return shlex.join(words + [str(seed)])


NATIVE = {}


class Campaign:
    """Seeds through all modes, until the time is over."""

    def __init__(self, runner, chosen, patience_s):
        self.runner, self.modes = runner, chosen
        self.end = time.monotonic() + patience_s
        self.count = dict.fromkeys(["native", *chosen], 0)
        self.failures = {name: [] for name in self.count}

    def one(self, seed, name, settings):
        result = self.runner.native(seed) if settings is NATIVE else self.runner.under(seed, settings)
        self.count[name] += 1
        if not result.violations:
            return
        again = 0
        for _ in range(AGAIN):
            if settings is NATIVE:
                again += bool(self.runner.run(seed).violations)
            else:
                again += bool(self.runner.under(seed, settings).violations)
        with _lock:
            self.failures[name].append(
                f"seed {seed}: {'; '.join(result.violations[:3])} [{again} of {AGAIN} more runs failed] "
                f"[{'; '.join(result.notes[:1])}] repeat: {command(seed, settings)}")

    def seed(self, seed):
        self.one(seed, "native", NATIVE)
        for name, settings in self.modes.items():
            self.one(seed, name, settings)
        self.runner.native_results.pop(seed, None)

    def go(self, seeds):
        """Runs an endless iterator of seeds; those under way at the end are finished."""
        used = []

        def work():
            while True:
                with _lock:
                    if time.monotonic() > self.end or sum(map(len, self.failures.values())) > 12:
                        return
                    s = next(seeds, None)
                    if s is None:
                        return
                    used.append(s)
                self.seed(s)

        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for f in [pool.submit(work) for _ in range(JOBS)]:
                f.result()
        return used

    def report(self):
        for name, failures in self.failures.items():
            if failures:
                say("not ok", f"differential_{name}", "\n".join(failures[:3]) +
                    (f"\nand {len(failures) - 3} more" if len(failures) > 3 else ""))
            elif self.count[name]:
                say("ok", f"differential_{name}", f"{self.count[name]} programs")
            else:
                say("skip", f"differential_{name}", "no time was left")


def time_seeds():
    seed = int(time.time()) % 10**8 * 100
    while True:
        yield seed
        seed += 1


def short(runner, chosen, seconds):
    def seeds():
        yield from BASE_SEEDS
        yield from time_seeds()

    campaign = Campaign(runner, chosen, seconds)
    used = campaign.go(seeds())
    drawn = [s for s in used if s not in BASE_SEEDS]
    print("# seeds", *(s for s in used if s in BASE_SEEDS), f"{drawn[0]}-{drawn[-1]}" if drawn else "", flush=True)
    campaign.report()


def soak(runner, chosen, minutes):
    campaign = Campaign(runner, chosen, minutes * 60)
    stop = threading.Event()

    def tell():
        while not stop.wait(60):
            with _lock:
                print(f"# {campaign.count} failures {sum(map(len, campaign.failures.values()))}", flush=True)

    threading.Thread(target=tell, daemon=True).start()
    used = campaign.go(time_seeds())
    stop.set()
    print(f"# seeds {used[0]}-{used[-1]}", flush=True)
    campaign.report()


def header(path, word):
    with open(path, encoding="utf-8") as f:
        found = re.search(r"/\* %s: ([^*]*) \*/" % word, f.read())
    return found.group(1).split() if found else []


def mutant(runner, path):
    """A library that breaks a rule must be caught, for the right reason; the control must not."""
    name = os.path.basename(path)[:-2]
    library = os.path.join(runner.place, name + ".so")
    made = subprocess.run([CC, "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", library, path, "-ldl"],
                          capture_output=True, text=True)
    if made.returncode:
        say("not ok", f"mutant_{name}", made.stderr[-400:])
        return
    wanted = set(header(path, "caught"))
    seeds = [int(s) for s in header(path, "seeds")]
    if wanted == {"nothing"}:
        control(runner, name, library, seeds)
    else:
        hunt(runner, name, library, wanted, seeds + [s for s in range(26) if s not in seeds])


def under_mutant(runner, library, seed, hang_ms):
    result = runner.run(seed, library, {}, "--hang", str(hang_ms))
    result.compare(runner.native(seed))
    return result


def hunt(runner, name, library, wanted, seeds):
    begin, seen = time.monotonic(), set()
    for n, seed in enumerate(seeds):
        rules = under_mutant(runner, library, seed, HANG_MS).rules()
        seen |= rules
        if wanted & rules:
            say("ok", f"mutant_{name}", f"{', '.join(sorted(wanted & rules))} by seed {seed}, "
                f"run {n + 1}, {time.monotonic() - begin:.1f} s")
            return
    say("not ok", f"mutant_{name}", f"not caught by seeds {seeds}: wanted {sorted(wanted)}, saw {sorted(seen)}")


def control(runner, name, library, seeds):
    for seed in seeds:
        broken = under_mutant(runner, library, seed, 8000).violations
        if broken:
            say("not ok", f"control_{name}", f"seed {seed}: {'; '.join(broken[:3])}")
            return
    say("ok", f"control_{name}", f"breaks no rule in {len(seeds)} programs")


def mutants(runner, only):
    paths = sorted(glob.glob(os.path.join(HERE, "mutants", "*.c")))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(lambda p: mutant(runner, p),
                      [p for p in paths if not only or os.path.basename(p)[:-2] in only]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seconds", type=float, default=SHORT_S)
    parser.add_argument("--mutants", nargs="*", metavar="NAME")
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("-m", "--mode", action="append")
    args = parser.parse_args()
    for path in (PROGRAM, LIB):
        if not os.path.exists(path):
            say("not ok", "setup", f"{path} is missing; run make")
            return 1
    chosen = {k: v for k, v in modes().items() if not args.mode or k in args.mode}
    place = tempfile.mkdtemp(prefix="unspin-differential-")
    try:
        runner = Runner(place)
        if args.mutants is not None:
            mutants(runner, args.mutants)
        elif args.minutes:
            soak(runner, chosen, args.minutes)
        elif args.seeds:
            campaign = Campaign(runner, chosen, 1e9)
            campaign.go(iter(args.seeds))
            campaign.report()
        else:
            short(runner, chosen, args.seconds)
            if not args.no_mutants:
                mutants(runner, [])
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 1 if _failed else 0


if __name__ == "__main__":
    sys.exit(main())
