#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The papers' figures: their definitions, what is selected and in what order, and the report."""
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ct

BENCH = os.path.join(ct.ROOT, "tests", "bench")
sys.path.insert(0, BENCH)
import figs
import paperdata
import paperreport
import papers
import plots
import profiler
import sessions
import store
import variants
from figs.model import CALIBRATION, WORDS, Limit, at

# The list, written down a second time on purpose.
WANTED = """1-tab3 1-tab4 1-tab6 1-fig4 1-fig6 1-fig7 1-fig10 1-fig11 1-fig12 1-fig14 1-fig16 1-fig17
            2-fig1 2-fig4 2-fig6 2-fig7 3-fig2 3-fig4""".split()
FULL_S, QUICK_S = 45 * 60, 10 * 60


def figure(name):
    return figs.choose(name)[0]


# Definitions.

@ct.case("figures_all_of_the_issue_are_there")
def all_there():
    ct.check_equal([f.id for f in figs.ALL], WANTED, "figures")


@ct.case("figures_rows_and_limits_ask_for_measured_cells")
def points_are_measured():
    bad = [(f.id, point) for f in figs.ALL for point in f.points()
           if not f.is_inside(f.cell(point), False)]
    ct.check_equal(bad, [], "points of no cell")


@ct.case("figures_metrics_are_columns")
def metrics_are_columns():
    used = {m for f in figs.ALL for m in
            (f.metric, *f.also, *(r.metric for r in f.rows), *(x.metric for x in f.limits))} - {""}
    ct.check_equal(used - set(WORDS), set(), "metrics without words")
    ct.check_equal(used - set(paperdata.COLUMNS) - {"rate"}, set(), "metrics without a column")


@ct.case("figures_ids_tell_cells_apart")
def ids_are_unique():
    every = {cell for f in figs.ALL for cell in f.cells()}
    ct.check_equal(len({cell.id for cell in every}), len(every), "ids")


@ct.case("figures_archs_are_the_reactors")
def archs_exist():
    there = variants.reactor_archs(os.path.join(ct.B, "reactor"))
    wanted = {cell.arch for f in figs.ALL for cell in f.cells()}
    ct.check_equal(wanted - there, set(), "architectures")


@ct.case("figures_every_server_starts_and_answers_rightly_as_asked")
def options_are_accepted():
    """Each combination of options, on a wrong port: the reactor complains of it and nothing else."""
    reactor = os.path.join(ct.B, "reactor")
    commands = {tuple(cell.server_argv(reactor, "127.0.0.1", 99999, "/")) for f in figs.ALL
                for cell in f.cells()}
    commands = {argv[argv.index(reactor):] for argv in commands}
    for argv in commands:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=10).stderr
        ct.check("99999" in said or "port" in said, f"{argv}: {said}")


@ct.case("figures_quick_is_a_part_of_full")
def quick_is_part():
    for f in figs.ALL:
        ct.check(set(f.cells(True)) <= set(f.cells()), f"{f.id}: a quick cell is not in the full")


@ct.case("figures_fig16_and_17_ask_for_every_cell")
def every_cell_is_judged():
    for name, count in (("1-fig16", 10), ("1-fig17", 4)):
        f = figure(name)
        judged = {(pair[1][0], f.cell(pair[0])) for limit in f.limits for pair in limit.pairs}
        wanted = {(rival, cell) for rival in ("hybrid", "netty") for s, _, _, cell in f.grid()
                  if s.name == "single"}
        ct.check_equal(judged, wanted, name)
        ct.check_equal(len(wanted), 2 * count, name)


@ct.case("figures_chosen_by_number_or_name")
def chosen():
    def ids(words):
        return [f.id for f in figs.choose(words)]
    ct.check_equal(ids("11"), ["1-fig11"], "11")
    ct.check_equal(ids("4"), ["1-fig4", "2-fig4", "3-fig4"], "4")
    ct.check_equal(ids("tab6,1-fig7"), ["1-tab6", "1-fig7"], "list")
    ct.check_equal(ids("5"), ["2-fig4"], "of a figure that another stands for")
    ct.check_equal(ids("all"), WANTED, "all")
    try:
        ids("99")
        ct.check(False, "a figure 99")
    except KeyError:
        pass


# What is measured, and when.

def visits(words, is_quick=False, is_done=lambda *run: False):
    return list(papers.visits(figs.choose(words), is_quick, is_done))


@ct.case("papers_each_run_once_checks_first")
def each_run_once():
    runs = [(cell.id, *run) for cell, todo in visits("all") for run in todo]
    ct.check_equal(len(runs), len(set(runs)), "a run is repeated")
    seen = set()
    for cell, variant, round_ in runs:
        ct.check(not round_ or (cell, variant) in seen, f"{cell} {variant}: timed unchecked")
        seen.add((cell, variant))


@ct.case("papers_a_round_is_whole_before_the_next_calibration_first")
def order():
    todo = visits("all")
    head = [cell for cell, _ in todo[:2]]
    ct.check_equal(head, [CALIBRATION] * 2, "calibration")
    rounds = [max(r for _, r in runs) for cell, runs in todo if cell != CALIBRATION]
    ct.check_equal(rounds, sorted(rounds), "rounds")


@ct.case("papers_rivals_are_neighbours")
def neighbours():
    cells = [cell for cell, runs in visits("all") if runs[-1][1] == 1]
    f = figure("1-fig16")
    for heavy in (2, 20):
        where = [cells.index(f.cell(at(name, heavy=heavy, rtt_ms=5)))
                 for name in ("single", "netty", "hybrid")]
        ct.check_equal(max(where) - min(where), 2, f"{heavy} %: between the first and the last")


@ct.case("papers_goes_on_where_it_stopped")
def resumes():
    done = {(cell.id, *run) for cell, runs in visits("11")[:5] for run in runs}
    left = [(cell.id, *run) for cell, runs in visits("11", is_done=lambda *run: run in done)
            for run in runs]
    every = [(cell.id, *run) for cell, runs in visits("11") for run in runs]
    ct.check_equal(left, [run for run in every if run not in done], "left")


@ct.case("papers_bounded_in_time")
def bounded():
    ct.check(papers.total_seconds(visits("all")) <= FULL_S, "the full run takes too long")
    ct.check(papers.total_seconds(visits("all", True)) <= QUICK_S, "the quick one does")


# The loads.

@ct.case("sessions_files_are_specweb99s")
def files():
    sizes, shares = sessions.sizes(), sessions.popularity()
    ct.check_equal((len(set(sizes)), min(sizes), max(sizes)), (36, 102, 921600), "sizes")
    ct.check(abs(sum(shares.values()) - 1) < 1e-9, "shares do not add up")
    ct.check(abs(sum(v for k, v in shares.items() if k >= 102400) - 0.01) < 1e-9, "class 3")
    ct.check(abs(shares[5120] - 0.5 * 0.3535) < 1e-3, "the most popular of class 1")


@ct.case("sessions_a_session_thinks_between_requests")
def a_session():
    import random
    lines = sessions.session(random.Random(1))
    ct.check_equal(len(lines), sessions.REQUESTS, "requests")
    thinks = [re.search(r"think=([\d.]+)", line) for line in lines]
    ct.check_equal([float(t.group(1)) if t else None for t in thinks],
                   [0.0343, 0.0343, 0.3, 0.0343, 0.0343, None], "think times")


HTTPERF = """
Total: connections 1199 requests 7122 replies 7100 test-duration 3.500 s
Reply time [ms]: response 50.0 transfer 10.0
Reply status: 1xx=0 2xx=7000 3xx=0 4xx=0 5xx=100
Net I/O: 1000.0 KB/s (8.2*10^6 bps)
Errors: total 31 client-timo 24 socket-timo 1 connrefused 2 connreset 3
Errors: fd-unavail 7 addrunavail 0 ftab-full 0 other 1
Session rate [sess/s]: min 0.00 avg 336.00 max 0.00 stddev 0.00 (1176/1200)
"""


@ct.case("sessions_httperf_report")
def httperf_report():
    part = sessions.parse_httperf(HTTPERF)
    ct.check_equal((part["replies"], part["refused"], part["sessions"], part["timeouts"],
                    part["unsent"], part["errors"], part["mean_ms"]),
                   (7000, 100, 1200, 24, 7, 7, 60.0), "one")
    whole = sessions.total([part, {**part, "seconds": 4.0, "mean_ms": 80.0}])
    ct.check_equal((whole["rps"], whole["timeouts_pct"], whole["mean_ms"], whole["unsent"]),
                   (3500.0, 2.0, 70.0, 14), "both")


@ct.case("profiler_reads_perf_and_strace")
def reads_tools():
    perf = ("    95.15%     0.49%  [k] do_syscall_64    -  -    \n"
            "    50.97%     0.73%  [k] __x64_sys_futex  -  -    \n")
    ct.check_equal(profiler.parse_perf(perf), 50.97, "perf")
    ct.check_equal(profiler.parse_perf(perf.split("\n")[0]), 0.0, "perf without futex")
    strace = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 89.64    3.709867         118     30000      2611 futex
  5.30    0.219351          40      5000           write
------ ----------- ----------- --------- --------- ----------------
100.00    4.138443          87     47128      2611 total
"""
    ct.check_equal(profiler.parse_strace(strace), {"futex_time_pct": 89.64, "futex_calls": 6.0},
                   "strace")


# Verdicts and report.

def synthetic(rates, rounds=5):
    """Rows of 1-fig11; rates: (series, round trip, variant) -> list of rates, or one for all."""
    f, rows = figure("1-fig11"), {}
    for s, _, x, cell in f.grid():
        for variant in cell.variants:
            rate = rates.get((s.name, x, variant), 100)
            for n in range(1, rounds + 1):
                row = {**dict.fromkeys(paperdata.COLUMNS), "cell": cell.id, "variant": variant,
                       "round": n, "errors": 0, "note": "", "p50_ms": 1.0, "idle_pct": 0.0,
                       "rps": rate[n - 1] if isinstance(rate, list) else float(rate)}
                rows[store.key(row)] = row
    return paperdata.Data({"commit": "abc"}, rows)


def verdict(rates):
    f = figure("1-fig11")
    return synthetic(rates).judge(f, f.limits[0])


@ct.case("report_verdicts")
def verdicts():
    name = "single", 5, "auto"
    ct.check_equal(verdict({name: 90}).word, paperdata.MET, "at the limit")
    ct.check_equal(verdict({name: 89}).word, paperdata.UNMET, "below it")
    ct.check_equal(verdict({name: [95.0, 80.0, 80.0, 80.0, 80.0]}).word, paperdata.CLOSE, "once")
    ct.check_equal(verdict({name: [95.0, 95.0, 95.0, 80.0, 80.0]}).word, paperdata.MET, "median")
    f = figure("1-fig11")
    both = Limit("", ((at("single", rtt_ms=5), None),), low=95, high=105)
    ct.check_equal(synthetic({name: 100}).judge(f, both).word, paperdata.MET, "within")
    ct.check_equal(synthetic({name: 110}).judge(f, both).word, paperdata.UNMET, "above")
    across = [90.0, 90.0, 90.0, 110.0, 110.0]
    ct.check_equal(synthetic({name: [90.0, 90.0, 90.0, 90.0, 90.0]}).judge(f, both).word,
                   paperdata.UNMET, "below")
    ct.check_equal(synthetic({name: across}).judge(f, both).word, paperdata.CLOSE, "around")


@ct.case("report_the_worst_pair_decides")
def worst_pair():
    f = figure("1-fig11")
    pairs = tuple((at(n, rtt_ms=5), at("threads", rtt_ms=5)) for n in ("single", "dispatch-fix"))
    rates = {("single", 5, "auto"): 80, ("dispatch-fix", 5, "auto"): 95}
    data = synthetic(rates)
    v = data.judge(f, Limit("", pairs, low=0.9))
    ct.check_equal((v.word, v.kept, v.pairs, v.pair[0][0]), (paperdata.UNMET, 1, 2, "single"), "")
    ct.check_equal([pair[0][0] for pair, _ in v.failing], ["single"], "failing")
    few = synthetic(rates, rounds=3).judge(f, Limit("", pairs, low=0.9))
    ct.check_equal(few.word, paperdata.FEW, "three rounds")


@ct.case("report_has_paper_bare_shim_and_verdict")
def rendered():
    data = synthetic({("single", 5, "bare"): 5, ("single", 5, "auto"): 95})
    text = paperreport.render(data, False, {"1-fig11"})
    ct.check("| single: 5 ms / 0 ms (11a) | 0.05 | ×0.05 (0.05…0.05) | ×0.95 (0.95…0.95) |" in text,
             "no ratios")
    ct.check("**met**, 5 rounds" in text, "no verdict")
    ct.check("results/fig-1-fig11.svg" in text, "no plot")
    ct.check("**INCOMPLETE: not measured yet: 1-tab3" in text, "incomplete data not marked")
    ct.check("uncommitted" not in text, "clean tree called dirty")


@ct.case("report_of_a_part_leaves_the_results_alone")
def part_stays_in_build():
    data = synthetic({})
    ct.check_equal(os.path.basename(papers.default_output(data, False)), "PART.md", "part")
    ct.check_equal(os.path.basename(papers.default_output(data, True)), "QUICK.md", "quick")
    for f in figs.ALL:
        for cell in f.cells():
            row = {**dict.fromkeys(paperdata.COLUMNS), "cell": cell.id, "variant": "bare",
                   "round": 1, "errors": 0, "note": ""}
            data.rows[store.key(row)] = row
    ct.check_equal(os.path.relpath(papers.default_output(data, False), ct.ROOT),
                   "docs/RESULTS.md", "all")


@ct.case("report_is_written_beside_other_sections")
def written():
    data = synthetic({})
    with tempfile.TemporaryDirectory() as place:
        output = os.path.join(place, "RESULTS.md")
        with open(output, "w") as f:
            f.write("# Results\n\nkept\n")
        for _ in range(2):
            paperreport.write(data, output, False)
        with open(output) as f:
            text = f.read()
        ct.check_equal((text.count("kept"), text.count("<!-- begin papers -->"),
                        text.count("### 1-fig11")), (1, 1, 1), "sections")
        with open(os.path.join(place, "results", "fig-1-fig11.csv")) as f:
            facts, rows = store.parse(f.read(), paperdata.COLUMNS)
        ct.check_equal(facts, {"commit": "abc"}, "facts")


@ct.case("plots_are_gnuplots")
def plotted():
    data = synthetic({})
    ct.need_tool("gnuplot")
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "x.svg")
        ct.check(plots.draw(data, figure("1-fig11"), path), "no plot")
        with open(path) as f:
            text = f.read()
        ct.check("single + shim" in text and text.rstrip().endswith("</svg>"), "not whole")
        ct.check(not plots.draw(data, figure("3-fig2"), path), "a plot of nothing")


ct.main()
