#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The papers' figures, measured with the demo server, bare and under the shim.

    papers.py --list [--fig 11] [--quick]   what would be measured, and how long it takes
    papers.py --fig 11                      measure, then write the report
    papers.py                               all figures; again: goes on where it stopped
    papers.py --quick                       fewer values, one round; reported in build/papers
    papers.py --report [--quick]            only the report, from what is there

--fig takes all, a number (that figure of every paper), tab6, 1-fig11, or several with commas.
Reading order: figs/model.py and a file of figs/, inside_papers.py (one cell, inside a lab),
sessions.py, profiler.py, paperdata.py, paperreport.py, plots.py. Exit status as of matrix.py.
"""
import argparse
import os
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
import figs
import labs
import machine
import paperdata
import paperreport
import profiler
import store
from figs.model import CALIBRATION

VARIANTS = ("bare", "auto")
CHECK_S, SERVER_S, TAIL_S = 0.3, 0.35, 1.0  # a byte check; a server's start and end; sessions'
CHECK_FILES_S = 0.6
TOOL_S = 1.0  # perf and strace attach, and write up what they saw
MEASURING = (*machine.MEASURING, "inside_papers.py", "sessions.py", "profiler.py", "mix.lua",
             "paths.lua", "figs/model.py")
PROGRAMS = ("wrk", "httperf", "taskset")


def fail(text, status=2):
    print(f"papers: {text}", file=sys.stderr)
    sys.exit(status)


def parse_options(words):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--fig", default="all", metavar="LIST", help="which (default all)")
    p.add_argument("--list", action="store_true", help="print what would be measured, and stop")
    p.add_argument("--report", action="store_true", help="write the report, measure nothing")
    p.add_argument("--quick", action="store_true", help="under ten minutes; no results")
    p.add_argument("--csv", metavar="FILE", help="raw data (default build/papers/…)")
    p.add_argument("--output", metavar="FILE",
                   help="of the report (default docs/RESULTS.md once all figures are measured, "
                   "before that build/papers/PART.md; quick: build/papers/QUICK.md)")
    options = p.parse_args(words)
    try:
        options.figures = figs.choose(options.fig)
    except KeyError as word:
        fail(f"no figure {word}; there are {' '.join(f.id for f in figs.ALL)}")
    made_by = machine.made_by(labs.BUILD, machine.MEASURED, machine.sources(MEASURING))
    options.csv = options.csv or os.path.join(labs.BUILD, "papers",
                                              made_by + "-quick" * options.quick + ".csv")
    return options


def why_missing(cell):
    return profiler.why_missing(cell.tool) if cell.tool else ""


def runs_of(cell, round_, is_done):
    """[variant, round] of one visit: the byte check before a variant's first run."""
    names = [name for name in VARIANTS if name in cell.variants]
    names = names[::-1] if round_ % 2 == 0 else names
    timed = [[name, round_] for name in names if not is_done(cell.id, name, round_)]
    return [[name, 0] for name, _ in timed if not is_done(cell.id, name, 0)] + timed


def rounds_of(figures, is_quick):
    """cell -> rounds, each cell once; of a cell in several figures, the most."""
    found = {}
    for figure in figures:
        for cell in figure.cells(is_quick):
            if not why_missing(cell):
                found[cell] = max(found.get(cell, 0), figure.rounds_of(cell, is_quick))
    return found


def visits(figures, is_quick, is_done=lambda *run: False):
    """
    (cell, runs) in the order of measuring: round by round through all cells, those that differ by
    their server next to each other, so that what is compared was measured close together. All
    rounds of the calibration come first: every load is a part of their median.
    """
    rounds, checked = rounds_of(figures, is_quick), set()
    order = sorted(((cell, n) for cell, most in rounds.items() for n in range(1, most + 1)),
                   key=lambda visit: (visit[0] != CALIBRATION, visit[1], visit[0].conditions))
    for cell, round_ in order:
        runs = runs_of(cell, round_, lambda *run: run in checked or is_done(*run))
        checked |= {(cell.id, name, 0) for name, _ in runs}
        if runs:
            yield cell, runs


def seconds_of(cell, runs):
    check = CHECK_FILES_S if cell.has_files else CHECK_S
    tail = TAIL_S + cell.seconds * max(0, cell.load - 1) if cell.load else 0  # what queued up
    timed = cell.seconds + cell.warmup + SERVER_S + tail + TOOL_S * bool(cell.tool)
    return labs.START_S + sum(timed if round_ else check for _, round_ in runs)


def total_seconds(todo):
    return sum(seconds_of(cell, runs) for cell, runs in todo)


def print_list(options):
    for figure in options.figures:
        todo = list(visits([figure], options.quick))
        print(f"{figure.id:<9}{len(figure.cells(options.quick)):>4} cells"
              f"{sum(len(runs) for _, runs in todo):>5} runs  {labs.clock(total_seconds(todo))}  "
              f"{figure.title}")
    todo = list(visits(options.figures, options.quick))
    print(f"together, shared cells once: {sum(len(runs) for _, runs in todo)} runs, about "
          f"{labs.clock(total_seconds(todo))}")


class Progress:
    def __init__(self, todo):
        self.left = total_seconds(todo)
        self.total, self.done = sum(len(runs) for _, runs in todo), 0
        self.planned, self.began = self.left, time.monotonic()

    def tell(self, cell, row):
        self.done += 1
        passed, estimated = time.monotonic() - self.began, self.planned - self.left
        pace = passed / estimated if estimated > 20 else 1  # of this machine, once known
        text = row["note"] if row.get("rps") is None else (
            f"round {row['round']}: {row['rps']:.1f}/s"
            + (f", {row['errors']} ERRORS" if row["errors"] else "")
            + (f", {row['note']}" if row["note"] else ""))
        print(f"[{self.done}/{self.total} {labs.clock(max(0, self.left) * pace)} left] "
              f"{cell.id} {row['variant']} {text}", flush=True)


def settings(cell, data):
    with open(os.path.join(labs.ROOT, "shim", "config.def")) as f:
        config_def = f.read()
    capacity = paperdata.capacity(data.rows) if cell.load else None
    if cell.load and not capacity:
        fail(f"{CALIBRATION.id} could not be measured: no load can be derived from it", 1)
    return {"seconds": cell.seconds, "warmup": cell.warmup, "config_def": config_def,
            "explain": "", "capacity": capacity}


def warn(options):
    if machine.is_stale(labs.BUILD):
        print("papers: a source is newer than libunspin.so: make", file=sys.stderr)
    if os.getloadavg()[0] > 0.5:
        print(f"papers: the machine is busy (load {os.getloadavg()[0]:.2f}): no results today",
              file=sys.stderr)
    for why in sorted({why_missing(c) for f in options.figures for c in f.cells()} - {""}):
        print(f"papers: without {why.split()[0]}: {why}", file=sys.stderr)


def measure(options):
    why = labs.why_none() or next((f"{name} is not installed (make deps)" for name in PROGRAMS
                                   if not shutil.which(name)), "")
    if why:
        fail(why, 77)
    warn(options)
    library = machine.library(labs.BUILD)
    data = store.Store(options.csv, machine.facts(labs.BUILD, 1, 0), paperdata.COLUMNS)
    if data.facts["library"] != library:
        fail(f"{options.csv} was made with another library: {data.facts['library']}")
    todo = list(visits(options.figures, options.quick, data.is_done))
    progress, is_well = Progress(todo), True
    print(f"{options.csv}: {progress.total} runs to do, about {labs.clock(progress.left)}",
          flush=True)
    for cell, runs in todo:
        if machine.library(labs.BUILD) != library:
            fail("libunspin.so has changed meanwhile: start again", 1)

        def sink(row):
            nonlocal is_well
            data.add(row)
            is_well &= not row.get("errors")
            progress.tell(cell, row)
        if not labs.measure("inside_papers.py", cell, runs, settings(cell, data), sink):
            print(f"papers: the lab of {cell.id} failed", file=sys.stderr)
            is_well = False
        progress.left -= seconds_of(cell, runs)
    data.close()
    return is_well


def write_report(options):
    if not os.path.exists(options.csv):
        fail(f"nothing measured yet with this build: no {options.csv}")
    data = paperdata.Data(*store.load(options.csv, paperdata.COLUMNS))
    output = options.output or default_output(data, options.quick)
    paperreport.write(data, output, options.quick)
    print(f"wrote {output}")


def default_output(data, is_quick):
    """A few figures of a new build must not take the place of all of the one before."""
    if is_quick:
        return os.path.join(labs.BUILD, "papers", "QUICK.md")
    if not all(paperreport.is_measured(data, figure, False) for figure in figs.ALL):
        return os.path.join(labs.BUILD, "papers", "PART.md")
    return os.path.join(labs.ROOT, "docs", "RESULTS.md")


def main(words):
    options = parse_options(words)
    for name in ("libunspin.so", "reactor", "lab", "slowread", "timedload"):
        if not os.path.exists(os.path.join(labs.BUILD, name)):
            fail(f"{os.path.join(labs.BUILD, name)} is missing: make")
    if options.list:
        print_list(options)
        return 0
    is_well = True
    try:
        if not options.report:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            is_well = measure(options)
    except store.Busy:
        fail(f"{options.csv} is being written by another runner", 1)
    except store.Foreign:
        fail(f"{options.csv} has other columns: name another --csv", 1)
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on", 130)
    write_report(options)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
