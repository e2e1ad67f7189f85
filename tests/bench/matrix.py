#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The matrix of issue 3: reactors and real servers, bare, under the shim and tuned by hand.

    matrix.py --list                 the cells, and how long they would take
    matrix.py                        measure all; again: go on where it stopped
    matrix.py --part named|real|pairs   one part of it, into the same raw data
    matrix.py --quick                a selection in under ten minutes
    matrix.py --report [--quick]     write docs/RESULTS.md and docs/results/ from what is there
    matrix.py --losers [--quick]     where the defaults lose, round by round, with `unspin stat`
    matrix.py --selftest             check the runner itself

Reading order: cells.py (what), variants.py (how served), inside.py (one cell, inside a lab),
servers.py and loads.py, store.py (raw data), figures.py and report.py. Exit status: 0, 1 after any
error, 2 for a bad option, 77 where no lab can be made.
"""
import argparse
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import cells
import figures
import labs
import machine
import report
import store
import variants

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT, BUILD, PYTHON = labs.ROOT, labs.BUILD, labs.PYTHON

SECONDS, WARMUP_S = 0.8, 0.3
QUICK_VARIANTS = "bare,auto,sndbuf"
OVERHEAD_S = 0.2  # of a run, start and end of its server; then as measured
VERIFY_S = 0.25


def fail(text, status=2):
    print(f"matrix: {text}", file=sys.stderr)
    sys.exit(status)


def parse_options(words):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--list", action="store_true", help="print what would be measured, and stop")
    p.add_argument("--report", action="store_true", help="write the report, measure nothing")
    p.add_argument("--losers", action="store_true", help="print what loses, measure nothing")
    p.add_argument("--selftest", action="store_true", help="check the runner, measure nothing")
    p.add_argument("--quick", action="store_true", help="few cells and variants: under ten minutes")
    p.add_argument("--part", choices=cells.PARTS, help="only this part")
    p.add_argument("--cells", metavar="PATTERN", default="",
                   help="only cells whose group, id or title this regular expression finds")
    p.add_argument("--variants", metavar="A,B,…", help="only these (default: all but "
                   f"{' and '.join(variants.UNASKED)})")
    p.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each (default 5)")
    p.add_argument("--seconds", type=float, default=SECONDS, metavar="S",
                   help=f"shortest window of a run (default {SECONDS})")
    p.add_argument("--warmup", type=float, default=WARMUP_S, metavar="S",
                   help="shortest load before the window, on the same connections (default "
                   f"{WARMUP_S}; 0: none)")
    p.add_argument("--client", choices=("timed", "wrk"), default="timed",
                   help="wrk (and redisload.py): whole seconds, no warm-up, a file of its own")
    p.add_argument("--csv", metavar="FILE", help="raw data (default build/matrix/…)")
    p.add_argument("--output", metavar="FILE",
                   help="of --report (default docs/RESULTS.md; quick: build/matrix/QUICK.md)")
    options = p.parse_args(words)
    options.variants = options.variants or (QUICK_VARIANTS if options.quick else None)
    options.output = options.output or (os.path.join(BUILD, "matrix", "QUICK.md") if options.quick
                                        else os.path.join(ROOT, "docs", "RESULTS.md"))
    if options.client == "wrk":
        options.seconds, options.warmup = math.ceil(options.seconds), 0
    if options.rounds < 1 or options.seconds < 0.1 or options.warmup < 0:
        fail("--rounds is at least 1, --seconds at least 0.1, --warmup at least 0")
    return options


def choose_variants(options, config_def):
    every = variants.all_variants(config_def)
    if not options.variants:
        return [v for v in every if v.name not in variants.UNASKED]
    wanted = options.variants.split(",")
    unknown = set(wanted) - {v.name for v in every}
    if unknown:
        fail(f"no such variant: {' '.join(sorted(unknown))}; there are "
             f"{' '.join(v.name for v in every)}")
    return [v for v in every if v.name in wanted]


def choose_cells(options):
    """(group, cell) in the order of measuring."""
    quick = set(cells.quick()) if options.quick else None
    try:
        pattern = re.compile(options.cells)
    except re.error as why:
        fail(f"--cells: {why}")
    return [(group, cell) for group, members in cells.everything().items() for cell in members
            if (quick is None or cell.id in quick)
            and (not options.part or cells.PARTS[options.part] == group)
            and any(map(pattern.search, (group, cell.id, cell.title)))]


def rotated(names, round_, rounds):
    """Order of a round: each begins elsewhere, over all rounds evenly spread."""
    start = (round_ - 1) * max(1, len(names) // rounds) % max(1, len(names))
    return names[start:] + names[:start]


class Plan:
    """What is to be measured, what of it cannot be, and what of it is done."""

    def __init__(self, options, config_def):
        self.options = options
        self.cells = choose_cells(options)
        self.variants = choose_variants(options, config_def)
        self.skipped = {}  # (cell id, variant name): reason
        archs = variants.reactor_archs(os.path.join(BUILD, "reactor"))
        for _, cell in self.cells:
            for variant in variants.of_cell(cell, self.variants):
                why = variants.why_missing(cell, variant, archs, shutil.which)
                if why:
                    self.skipped[cell.id, variant.name] = why

    def names(self, cell):
        return [v.name for v in variants.of_cell(cell, self.variants)
                if (cell.id, v.name) not in self.skipped]

    def in_round(self, cell, round_, contenders):
        """Names that take part: in round 1 all, later neither losers nor, soon, the forced."""
        hand = {v.name for v in variants.HAND}
        names = self.names(cell)
        if contenders is None:  # not known yet: for the estimate, one of them
            contenders = [name for name in names if name in hand][:1]
        return [name for name in names
                if round_ == 1 or name in ("bare", "auto") or
                (name in contenders if name in hand else round_ <= variants.FORCED_ROUNDS)]

    def contenders(self, cell, rows):
        """Hand-tuned variants that go beyond round 1; None before that is measured."""
        hand = [v.name for v in variants.HAND if v.name in self.names(cell)]
        first = {name: (rows.get((cell.id, name, 1)) or {}).get(figures.throughput(cell))
                 for name in hand}
        if None in first.values() and not all((cell.id, name, 1) in rows for name in hand):
            return None
        return figures.contenders({name: value or 0 for name, value in first.items()},
                                  variants.CAN_WIN)

    def runs(self, cell, is_done=lambda *run: False, contenders=None):
        """[variant, round] still to do; round 0, the byte check, before a variant's first."""
        names, rounds = self.names(cell), range(1, self.options.rounds + 1)
        timed = [[name, r] for r in rounds
                 for name in rotated(self.in_round(cell, r, contenders), r, self.options.rounds)
                 if not is_done(cell.id, name, r)]
        checks = [[name, 0] for name in names if any(name == n for n, _ in timed)
                  and not is_done(cell.id, name, 0)]
        return checks + timed

    def seconds_of(self, cell, runs, overhead_s=OVERHEAD_S):
        """Estimate for a list of runs of a cell."""
        each = (cell.run_seconds(self.options.seconds) + overhead_s +
                cell.warmup_seconds(self.options.warmup))
        check = VERIFY_S + (4 * cells.response_s(cell) if cell.heavy else 0)
        return sum(each if round_ else check for _, round_ in runs)


def print_list(plan):
    total, count, of_group = 0, 0, {}
    for group, cell in plan.cells:
        runs = plan.runs(cell)
        seconds = plan.seconds_of(cell, runs) + 2 * labs.START_S
        total, count = total + seconds, count + len(runs)
        of_group[group] = of_group.get(group, 0) + seconds
        print(f"{group:<9}{cell.id:<48}{cell.warmup_seconds(plan.options.warmup):.1f} + "
              f"{cell.run_seconds(plan.options.seconds):.1f} s  "
              f"{' '.join(plan.names(cell)) or '-'}{'  ' if cell.title else ''}{cell.title}")
    for why in sorted(set(plan.skipped.values())):
        print(f"skipped: {list(plan.skipped.values()).count(why)} combinations, {why}")
    print(f"{cells.RULE}: {len(cells.product()) - len(cells.feasible())} of "
          f"{len(cells.product())}")
    print("parts: " + ", ".join(f"{part} {labs.clock(of_group[group])}"
                                for part, group in cells.PARTS.items() if group in of_group))
    print(f"{len(plan.cells)} cells, {count} runs, about {labs.clock(total)}")


class Progress:
    """How many runs are left; which, is known only as far as round 1 of each cell is measured."""

    def __init__(self, plan, todo):
        self.plan, self.done = plan, 0
        self.cells = {cell.id: cell for cell, _ in todo}
        self.left = {cell.id: runs for cell, runs in todo}
        self.overheads, self.last = [], time.monotonic()

    @property
    def total(self):
        return self.done + sum(map(len, self.left.values()))

    def settle(self, cell, runs):
        self.left[cell.id] = list(runs)

    def tell(self, row):
        cell, now = self.cells[row["cell"]], time.monotonic()
        if row["round"] and not row.get("errors"):
            self.overheads.append(now - self.last - self.plan.seconds_of(cell, [["", 1]], 0))
        self.last, self.done = now, self.done + 1
        self.left[cell.id].remove([row["variant"], row["round"]])
        overhead = (sum(self.overheads[-50:]) / len(self.overheads[-50:]) if self.overheads
                    else OVERHEAD_S)
        left = sum(self.plan.seconds_of(self.cells[name], runs, overhead)
                   for name, runs in self.left.items())
        left += labs.START_S * sum(map(bool, self.left.values()))
        print(f"[{self.done}/{self.total} {labs.clock(left)} left] {cell.id} {row['variant']} "
              f"{self.figures(row)}", flush=True)

    @staticmethod
    def figures(row):
        if row.get("rps") is None:
            return row["note"]
        p99 = f"{row['p99_ms']:.1f} ms" if row.get("p99_ms") is not None else "-"
        return (f"round {row['round']}: {row['rps']:.1f}/s, p99 {p99}, "
                f"{row.get('writes', 0):.1f} writes"
                + (f", {row['errors']} ERRORS" if row["errors"] else "")
                + (f", {row['note']}" if row["note"] else ""))


def warn(plan):
    if machine.is_stale(BUILD):
        print("matrix: a source is newer than libunspin.so: make", file=sys.stderr)
    if os.getloadavg()[0] > 0.5:
        print(f"matrix: the machine is busy (load {os.getloadavg()[0]:.2f}): no results today",
              file=sys.stderr)
    for why in sorted(set(plan.skipped.values())):
        print(f"matrix: {list(plan.skipped.values()).count(why)} combinations skipped: {why}",
              file=sys.stderr)


def settings(cell, options, config_def):
    return {"seconds": cell.run_seconds(options.seconds), "config_def": config_def,
            "warmup": cell.warmup_seconds(options.warmup), "client": options.client,
            "explain": options.explain}


def need_programs(client):
    why = labs.why_none()
    if why:
        fail(f"no lab can be made here: {why}", 77)
    if client == "wrk" and not shutil.which("wrk"):
        fail("wrk is not installed (make deps)", 77)


def measure(plan, config_def, path):
    options = plan.options
    need_programs(options.client)
    warn(plan)
    facts = machine.facts(BUILD, options.seconds, options.warmup)
    data = store.Store(path, facts)
    for fact in ("library", "seconds", "warmup"):
        if data.facts.get(fact) != facts[fact]:
            fail(f"{path} was made with another {fact}: {data.facts.get(fact)}")

    def runs_left(cell):
        return plan.runs(cell, data.is_done, plan.contenders(cell, data.rows))
    todo = [(cell, runs_left(cell)) for _, cell in plan.cells]
    todo = [(cell, runs) for cell, runs in todo if runs]
    progress, is_well = Progress(plan, todo), True
    print(f"{path}: {progress.total} runs to do", flush=True)

    def sink(row):
        nonlocal is_well
        data.add(row)
        is_well &= not row.get("errors")
        progress.tell(row)
    for cell, runs in todo:
        if machine.library(BUILD) != facts["library"]:
            fail("libunspin.so has changed meanwhile: start again", 1)
        # Round 1 has every hand-tuned variant; what it says decides who takes part in the others.
        for last_round in (1, options.rounds):
            runs = runs_left(cell)
            progress.settle(cell, runs)
            runs = [run for run in runs if run[1] <= last_round]
            if runs and not labs.measure("inside.py", cell, runs, settings(cell, options,
                                                                           config_def), sink):
                print(f"matrix: the lab of {cell.id} failed", file=sys.stderr)
                is_well = False
        progress.settle(cell, [])
    data.close()
    return 0 if is_well else 1


def write_report(plan, path):
    if not os.path.exists(path):
        there = os.path.dirname(path)
        fail(f"nothing measured yet with this build and --seconds: no {path}; "
             f"others: {' '.join(os.listdir(there)) if os.path.isdir(there) else 'none'}")
    facts, rows = store.load(path)
    hand = [v.name for v in variants.HAND if not v.is_extra]
    stored = report.write(path, facts, rows, hand, plan.skipped, plan.options.output)
    reasons = report.read_reasons(report.reasons_path(plan.options.output))
    for text in report.idle_reasons(report.Data(facts, rows, hand).judged(), reasons):
        print(f"matrix: reasons.txt: {text}", file=sys.stderr)
    print(f"wrote {plan.options.output} and {stored}")
    return 0


def print_losers(plan, path):
    facts, rows = store.load(path)
    hand = [v.name for v in variants.HAND if not v.is_extra]
    print(report.losers_in_full(report.Data(facts, rows, hand), plan.options.explain), end="")
    return 0


def main(words):
    options = parse_options(words)
    if options.selftest:
        tests = [os.path.join(HERE, "selftest.py"),
                 os.path.join(ROOT, "tests", "contract", "test_bench_matrix.py")]
        return max(subprocess.run([PYTHON, test]).returncode for test in tests)
    for name in ("libunspin.so", "reactor", "lab", "slowread", "timedload"):
        if not os.path.exists(os.path.join(BUILD, name)):
            fail(f"{os.path.join(BUILD, name)} is missing: make")
    with open(os.path.join(ROOT, "shim", "config.def")) as f:
        config_def = f.read()
    plan = Plan(options, config_def)
    if not plan.cells:
        fail(f"no cell matches '{options.cells}'")
    suffix = "-wrk" * (options.client == "wrk") + "-quick" * options.quick
    path = os.path.abspath(options.csv or machine.data_path(BUILD, options.seconds,
                                                           options.warmup, suffix))
    options.explain = os.path.splitext(path)[0] + ".stat"
    if options.list:
        print_list(plan)
        return 0
    if options.report:
        return write_report(plan, path)
    if options.losers:
        return print_losers(plan, path)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return measure(plan, config_def, path)
    except store.Busy:
        fail(f"{path} is being written by another runner", 1)
    except store.Foreign:
        fail(f"{path} has other columns: name another --csv", 1)
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on", 130)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
