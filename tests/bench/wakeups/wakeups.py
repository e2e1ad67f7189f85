#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The benchmark of the wake-up policies (issue 4).

    wakeups.py --list               the cells, their variants, and how long it would take
    wakeups.py                      measure all; again: go on where it stopped
    wakeups.py --quick              some cells, few rounds, in under four minutes
    wakeups.py --report [--quick]   write docs/RESULTS.md and docs/results/ from what is there

Reading order: scenes.py (what, and what is expected), hosts.py and meter.py, onerun.py (one run),
verdicts.py and section.py (the report). Exit status: 0, 1 after any error, 2 for a bad option.
"""
import argparse
import collections
import os
import re
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))
import hosts
import labs
import machine
import matrix
import onerun
import scenes
import section
import store

BUILD = labs.BUILD
OVERHEAD_S = 0.5  # of a run: start, end, reading the statistics
BUILT = ("libunspin.so", "timedload", "bench/wakeups/faulty", "bench/wakeups/fanout",
         "bench/wakeups/paced")
SOURCES = [*("tests/bench/wakeups/" + name for name in (
    "scenes.py", "hosts.py", "meter.py", "onerun.py", "prefork.py", "control.js")),
    *("tests/bench/" + name for name in ("servers.py", "loads.py"))]
QUICK_ROUNDS, QUICK_SCALE = 2, 0.6


def fail(text, status=2):
    print(f"wakeups: {text}", file=sys.stderr)
    sys.exit(status)


def parse_options(words):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--list", action="store_true", help="print what would be measured, and stop")
    p.add_argument("--report", action="store_true", help="write the report, measure nothing")
    p.add_argument("--quick", action="store_true", help="some cells, few rounds: under 4 minutes")
    p.add_argument("--cells", metavar="PATTERN", default="",
                   help="only cells whose name this regular expression finds")
    p.add_argument("--variants", metavar="A,B,…", help="only these")
    p.add_argument("--rounds", type=int, metavar="N",
                   help=f"runs of each (default 5, quick {QUICK_ROUNDS})")
    p.add_argument("--scale", type=float, metavar="X",
                   help=f"longer or shorter windows (default 1, quick {QUICK_SCALE})")
    p.add_argument("--csv", metavar="FILE", help="raw data (default build/wakeups/…)")
    p.add_argument("--output", metavar="FILE", help="of --report (default docs/RESULTS.md; quick: "
                   "build/wakeups/QUICK.md)")
    options = p.parse_args(words)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else 5)
    options.scale = options.scale or (QUICK_SCALE if options.quick else 1)
    options.output = options.output or (
        os.path.join(BUILD, "wakeups", "QUICK.md") if options.quick
        else os.path.join(machine.ROOT, "docs", "RESULTS.md"))
    if options.rounds < 1 or not 0.05 <= options.scale <= 100:
        fail("--rounds is at least 1, --scale 0.05 to 100")
    return options


class Plan:
    """What is to be measured, and of that, what cannot be and why."""

    def __init__(self, options, config_def, which=shutil.which):
        self.options, self.skipped, self.variants = options, {}, {}
        words = scenes.wake_words(config_def)
        wanted = options.variants and options.variants.split(",")
        self.cells = [cell for cell in scenes.everything() if re.search(options.cells, cell.id)
                      and (cell.is_quick or not options.quick)]
        for cell in self.cells:
            self.variants[cell.id] = {}
            for variant in scenes.variants_of(cell):
                why = scenes.why_missing(cell, variant, words, which)
                if why:
                    self.skipped[cell.id, variant.name] = why
                elif not wanted or variant.name in wanted:
                    self.variants[cell.id][variant.name] = variant

    def seconds(self, cell):
        return round(cell.seconds * self.options.scale, 3)

    def warmup(self, cell):
        """Not shortened: it is what the policies need to learn."""
        return cell.warmup

    def runs(self, cell, is_done=lambda *run: False):
        """[(variant name, round)] still to do; round 0, the byte check, before the first."""
        names, rounds = list(self.variants[cell.id]), range(1, self.options.rounds + 1)
        timed = [(name, r) for r in rounds
                 for name in matrix.rotated(names, r, self.options.rounds)
                 if not is_done(cell.id, name, r)]
        return [(name, 0) for name in names if any(name == other for other, _ in timed)
                and not is_done(cell.id, name, 0)] + timed

    def estimate_s(self, cell, runs, overhead_s=OVERHEAD_S):
        return sum(overhead_s + bool(round_) * (self.seconds(cell) + self.warmup(cell))
                   for _, round_ in runs)


def print_list(plan):
    for cell in plan.cells:
        print(f"{cell.group:<8}{cell.id:<14}{plan.warmup(cell):.1f} + {plan.seconds(cell):.1f} s  "
              f"{' '.join(plan.variants[cell.id])}")
    tell_skipped(plan, sys.stdout)
    runs = {cell: plan.runs(cell) for cell in plan.cells}
    print(f"{len(plan.cells)} cells, {sum(map(len, runs.values()))} runs, about "
          + labs.clock(sum(plan.estimate_s(*each) for each in runs.items())))


def tell_skipped(plan, file):
    by_reason = collections.defaultdict(list)
    for key, why in plan.skipped.items():
        by_reason[why].append(" ".join(key))
    for why, keys in by_reason.items():
        print(f"skipped, {why}: {', '.join(keys)}", file=file)


def describe(row):
    if row.get("cpu_cores") is None:
        return row["note"]
    parts = [f"{title} {row[name]:.4g}" for name, title in (
        ("rps", "1/s"), ("p99_ms", "p99 ms"), ("cpu_cores", "cores"), ("switches", "switches"),
        ("waits", "waits"), ("back_events", "back events"), ("busiest", "busiest"),
        ("late_p99_us", "late us")) if row.get(name) is not None]
    return ", ".join(parts) + (f", {row['errors']} ERRORS" if row["errors"] else "") + (
        f", {row['note']}" if row["note"] else "")


class Progress:
    def __init__(self, plan, todo):
        self.plan, self.todo = plan, {cell: list(runs) for cell, runs in todo}
        self.total, self.done = sum(len(runs) for _, runs in todo), 0
        self.overheads = [OVERHEAD_S]

    def tell(self, cell, row, took_s):
        run = (row["variant"], row["round"])
        self.todo[cell].remove(run)
        self.done += 1
        self.overheads.append(took_s - self.plan.estimate_s(cell, [run], 0))
        overhead = sum(self.overheads[-30:]) / len(self.overheads[-30:])
        left = sum(self.plan.estimate_s(*each, overhead) for each in self.todo.items())
        print(f"[{self.done}/{self.total} {labs.clock(left)} left] {cell.id} {row['variant']} "
              f"round {row['round']}: {describe(row)}", flush=True)


def measure_cell(plan, cell, runs, sink):
    with tempfile.TemporaryDirectory(prefix="unspin-wakeups-") as place:
        os.chmod(place, 0o755)
        hosts.prepare(place)
        with hosts.shards(place, cell) as ports:
            bench, wrong = onerun.Bench(BUILD, place, cell, ports, plan.options.explain), {}
            for name, round_ in runs:
                began = time.monotonic()
                if name in wrong:
                    row = {"cell": cell.id, "variant": name, "round": round_, "errors": 1,
                           "note": f"failed: not timed: {wrong[name]}"}
                else:
                    row = bench.run(plan.variants[cell.id][name], round_, plan.seconds(cell),
                                    plan.warmup(cell))
                if not round_ and row["errors"]:
                    wrong[name] = row["note"]
                sink(cell, row, time.monotonic() - began)


def facts_of(options):
    facts = machine.facts(BUILD, options.scale, 0)
    for name in ("seconds", "warmup", "sysctl"):
        del facts[name]
    facts["run"] = f"windows of tests/bench/wakeups/scenes.py, {options.scale:g} times as long"
    return facts


def measure(plan, path):
    if machine.is_stale(BUILD):
        print("wakeups: a source is newer than libunspin.so: make", file=sys.stderr)
    if os.getloadavg()[0] > 0.5:
        print(f"wakeups: the machine is busy (load {os.getloadavg()[0]:.2f}): no results today",
              file=sys.stderr)
    tell_skipped(plan, sys.stderr)
    facts = facts_of(plan.options)
    data = store.Store(path, facts, onerun.COLUMNS)
    for fact in ("library", "run"):
        if data.facts.get(fact) != facts[fact]:
            fail(f"{path} was made with another {fact}: {data.facts.get(fact)}")
    todo = [(cell, runs) for cell in plan.cells if (runs := plan.runs(cell, data.is_done))]
    progress, is_well = Progress(plan, todo), True
    print(f"{path}: {progress.total} runs to do", flush=True)

    def sink(cell, row, took_s):
        nonlocal is_well
        data.add(row)
        is_well &= not row["errors"]
        progress.tell(cell, row, took_s)
    for cell, runs in todo:
        if machine.library(BUILD) != facts["library"]:
            fail("libunspin.so has changed meanwhile: start again", 1)
        measure_cell(plan, cell, runs, sink)
    data.close()
    return 0 if is_well else 1


def write_report(plan, path):
    if not os.path.exists(path):
        fail(f"nothing measured yet with this build: no {path}")
    facts, rows = store.load(path, onerun.COLUMNS)
    stored = section.write(path, facts, rows, plan.skipped, plan.options.output)
    print(f"wrote {plan.options.output} and {stored}")
    return 0


def main(words):
    options = parse_options(words)
    missing = [name for name in (*BUILT, "unspin", "slowread")
               if not os.path.exists(os.path.join(BUILD, name))]
    if missing:
        fail(f"missing in {BUILD}: {' '.join(missing)}: make")
    with open(os.path.join(machine.ROOT, "shim", "config.def")) as f:
        plan = Plan(options, f.read())
    if not any(plan.variants.values()):
        fail("no cell and variant by that name")
    made_by = machine.made_by(BUILD, BUILT, SOURCES)
    path = os.path.abspath(options.csv or os.path.join(
        BUILD, "wakeups", f"{made_by}-x{options.scale:g}{'-quick' * options.quick}.csv"))
    options.explain = os.path.splitext(path)[0] + ".stat"
    if options.list:
        print_list(plan)
        return 0
    if options.report:
        return write_report(plan, path)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return measure(plan, path)
    except store.Busy:
        fail(f"{path} is being written by another runner", 1)
    except store.Foreign:
        fail(f"{path} has other columns: name another --csv", 1)
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on", 130)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
