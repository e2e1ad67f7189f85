#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The runner of tests/bench: what it selects, counts, keeps and prints; mostly synthetic data."""
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ct

BENCH = os.path.join(ct.ROOT, "tests", "bench")
sys.path.insert(0, BENCH)
import cells
import figures
import loads
import matrix
import redisload
import report
import store
import variants

GROUPS = cells.everything()
ALL = [cell for group in GROUPS.values() for cell in group]
REACTOR = GROUPS["named"] + GROUPS["pairwise"]


# What is selected.

def uncovered(chosen):
    """By definition, not by the chooser's own bookkeeping."""
    def pairs(cell):
        levels = list(zip(cells.FACTORS, cell.levels))
        return {(a, b) for a in levels for b in levels if a[0] < b[0]
                and (cell.heavy or ("heavy", 0) in (a, b))}
    wanted = set().union(*(pairs(cell) for cell in cells.product()
                           if not cells.why_left_out(cell)))
    return wanted - set().union(*(pairs(cell) for cell in chosen))


@ct.case("cells_every_feasible_pair_occurs")
def pairs_occur():
    ct.check_equal(sorted(uncovered(REACTOR)), [], "pairs in no cell")


@ct.case("cells_missing_pair_is_seen")
def missing_pair_is_seen():
    """The check above fires: without the cells of a pair, just this pair is missing."""
    without = [c for c in REACTOR if not (c.rtt_ms == 20 and c.rcvbuf and c.heavy)]
    ct.check_equal(uncovered(without) & {(("rcvbuf", 4096), ("rtt_ms", 20))},
                   {(("rcvbuf", 4096), ("rtt_ms", 20))}, "pairs missing")


@ct.case("cells_choice_is_the_same_everywhere")
def choice_is_stable():
    """String hashes differ from process to process: a choice that depends on them would, too."""
    code = "import cells; print(*[c.id for g in cells.everything().values() for c in g])"
    for seed in ("1", "2"):
        out = subprocess.run([sys.executable, "-B", "-c", code], cwd=BENCH, text=True, check=True,
                             capture_output=True, env={"PYTHONHASHSEED": seed}).stdout
        ct.check_equal(out.split(), [c.id for c in ALL], "cells")


@ct.case("cells_are_about_sixty_and_distinct")
def cells_are_distinct():
    ct.check_equal(len({c.id for c in ALL}), len(ALL), "distinct ids")
    ct.check(55 <= len(REACTOR) <= 65, f"{len(REACTOR)} cells of the reactor")
    ct.check_equal([c.id for c in REACTOR if cells.why_left_out(c)], [], "cells the rule excludes")


@ct.case("cells_absurd_ones_are_left_out_for_a_reason")
def absurd_left_out():
    slow = cells.Cell("yield", 8_000_000, 20, rcvbuf=4096)
    ct.check("takes" in cells.why_left_out(slow), cells.why_left_out(slow))
    rare = cells.Cell("single", 1_000_000, 20, sndbuf=16384)
    ct.check("a second" in cells.why_left_out(rare), cells.why_left_out(rare))
    ct.check_equal(cells.why_left_out(cells.Cell("single", 8_000_000, 20, rcvbuf=4096, heavy=0)),
                   "", "reason without heavy requests")


@ct.case("cells_quick_ones_exist")
def quick_exists():
    ct.check(set(cells.quick()) <= {c.id for c in ALL}, "a quick cell is none of all")
    ct.check({c.id for c in GROUPS["named"] if not c.seconds} <= set(cells.quick()),
             "a named cell is not quick")


# How it is served.

@ct.case("variants_words_come_from_config_def")
def words():
    row = 'OPT_ENUM(write, "WRITE", 1, "off|auto|grow|spin|block",\n\t "help")\n'
    ct.check_equal(variants.write_words(row), ("auto", ["off", "grow", "spin", "block"]), "words")
    with open(os.path.join(ct.ROOT, "shim", "config.def")) as f:
        default, others = variants.write_words(f.read())
    ct.check_equal((default, {"off", "grow"} <= set(others)), ("auto", True), "words of config.def")


@ct.case("variants_of_a_cell")
def variants_of_a_cell():
    every = variants.all_variants('OPT_ENUM(w, "WRITE", 0, "auto|off", "")')
    ct.check_equal([v.name for v in every if not v.is_extra],
                   ["bare", "auto", "off", "sndbuf", "threads", "netty"], "variants")
    ct.check_equal(every[1].settings, (), "settings of the default")
    redis = next(c for c in ALL if c.host == "redis")
    ct.check_equal([v.name for v in variants.of_cell(redis, every)], ["bare", "auto", "off"],
                   "variants of a real server")
    cell = cells.Cell("pool8", 1_000_000, 5, sndbuf=16384)
    args = {v.name: " ".join(variants.reactor_args(cell, v)) for v in every}
    ct.check_equal((args["bare"], args["sndbuf"], args["threads"]),
                   ("--arch dispatch-fix --threads 8 --sndbuf 16384",
                    "--arch dispatch-fix --threads 8 --sndbuf 1048576",
                    "--arch threads --sndbuf 16384"), "arguments")
    ct.check("no --arch" in variants.why_missing(cell, every[0], {"single"}, None), "not missing")


@ct.case("plan_rotates_and_resumes")
def plan():
    names = list("ABCDE")
    orders = [matrix.rotated(names, r, 5) for r in range(1, 6)]
    ct.check_equal({order[0] for order in orders}, set(names), "who begins")
    ct.check_equal([sorted(order) for order in orders], [names] * 5, "who takes part")
    words = ["--cells", "^single-1m-5ms-buf16k", "--rounds", "2", "--variants", "bare,auto"]
    p = matrix.Plan(matrix.parse_options(words), 'OPT_ENUM(w, "WRITE", 0, "auto|off", "")')
    (_, cell), = p.cells
    ct.check_equal(p.runs(cell), [["bare", 0], ["auto", 0], ["bare", 1], ["auto", 1], ["auto", 2],
                                  ["bare", 2]], "runs")
    done = {("bare", 0), ("bare", 1), ("auto", 1), ("auto", 2)}
    ct.check_equal(p.runs(cell, lambda c, name, r: (name, r) in done), [["bare", 2]],
                   "runs that are left")


# What is counted.

def rows(values, name="rps", **more):
    return {n: {"rps": None, "p99_ms": None, "errors": 0, "round": n, name: value, **more}
            for n, value in enumerate(values, 1)}


@ct.case("figures_spread_and_ratios")
def spread():
    ct.check_equal(figures.spread([3, None, 1, 2]), figures.Spread(2, 1, 3, 3), "spread")
    ct.check_equal(figures.spread([None]), None, "spread of nothing")
    # Paired: a machine half as fast in round 2 changes no ratio. Round 3 lacks a partner.
    ct.check_equal(figures.ratios(rows([20, 10, 99]), rows([10, 5]), "rps"),
                   figures.Spread(2, 2, 2, 2), "ratios")
    ct.check_equal(figures.ratios(rows([1]), rows([0]), "rps"), None, "ratio to nothing")


@ct.case("figures_limits")
def limits():
    def ratio(*values):
        return figures.spread(values)
    for values, want in (((0.9, 0.95, 0.98, 1, 1), "pass"), ((0.9, 0.9, 0.97, 0.97, 1), "close"),
                         ((0.9, 0.9, 0.9, 0.9, 0.97), "LOSES"), ((0.5, 0.5), "few rounds")):
        ct.check_equal(figures.at_least(ratio(*values), 0.98), want, f"at least, {values}")
    ct.check_equal(figures.at_most(ratio(0.9, 0.94, 0.96, 1, 1), 0.95), "close", "at most")
    ct.check_equal(figures.at_least(None, 1), "", "nothing measured")
    host = rows([10, 11, 12, 13, 14], "p99_ms")
    for values, want in (((9, 9, 13.9, 20, 20), "pass"), ((13, 15, 15, 15, 15), "close"),
                         ((15, 15, 15, 15, 15), "LOSES"), ((), "")):
        ct.check_equal(figures.not_above(rows(values, "p99_ms"), host, "p99_ms"), want,
                       f"p99 {values}")
    steady = rows([10] * 5, "p99_ms"), rows([10.1] * 5, "p99_ms")
    ct.check_equal(figures.not_above(steady[1], steady[0], "p99_ms"), "pass", "1 % of p99")


@ct.case("figures_judge_takes_the_best_hand")
def judge():
    by = {"bare": rows([10] * 5), "auto": rows([90] * 5), "sndbuf": rows([100] * 5),
          "netty": rows([50] * 5), "threads": {}}
    v = figures.judge(cells.Cell("single", 10_000, 0), by, ["sndbuf", "threads", "netty"])
    ct.check_equal((v.rate.middle, v.rate_word, v.best_hand, v.hand.middle, v.hand_word, v.word),
                   (9, "pass", "sndbuf", 0.9, "LOSES", "LOSES"), "verdicts")
    by["auto"][3]["errors"] = 2
    ct.check_equal(figures.judge(cells.Cell("single", 10_000, 0), by, []).word, "ERRORS", "word")


@ct.case("figures_mix_goes_by_bytes")
def mix():
    """A host that finishes only light answers has the higher rate and the lower p99."""
    cell = cells.Cell("pool64", 1_000_000, 0, heavy=50)

    def runs(requests, read_mb, p99_ms):
        return rows([read_mb] * 5, "read_mb", requests=requests, rps=requests, p99_ms=p99_ms)
    by = {"bare": runs(900, 100.0, 1.0), "auto": runs(400, 200.0, 50.0)}
    v = figures.judge(cell, by, [])
    ct.check_equal((v.rate.middle, v.rate_word, v.p99_word), (2, "pass", ""), "verdicts")
    by["bare"] = runs(200, 100.0, 1.0)
    ct.check_equal(figures.judge(cell, by, []).p99_word, "LOSES", "p99 of the same mix")


WRK = """  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   541.13ms  278.88ms   1.39s    62.50%
    Req/Sec     9.00      1.94    10.00     99.00%
  Latency Distribution
     50%  545.16us
     99%    1.39s 
  1234 requests in 1.02s, 9.02MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:   1209.80
"""


@ct.case("loads_wrk_report")
def wrk_report():
    ct.check_equal(loads.parse_wrk(WRK), {"requests": 1234, "rps": 1209.8, "errors": 15,
                                          "read_mb": 9.02 * 1048576 / 1e6,
                                          "p50_ms": 545.16 * 0.001, "p99_ms": 1390.0, "refused": 5}, "figures")
    none = loads.parse_wrk(WRK.replace("1234 req", "0 req"))
    ct.check_equal((none["p50_ms"], none["p99_ms"]), (None, None), "percentiles of nothing")


def redis_that_says(answer):
    """A listener whose connections get the answer to each GET."""
    def serve(connection):
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(4096):
                connection.sendall(answer * data.count(b"GET"))

    def accept():
        while True:
            try:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                return
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    return listener


@ct.case("loads_redis_client")
def redis_client():
    with redis_that_says(b"$5\r\nhello\r\n") as listener:
        good = redisload.load("127.0.0.1", listener.getsockname()[1], 5, 2, 3, 0.1)
    ct.check(good["requests"] > 10 and not good["errors"] and good["p50_ms"] > 0 and
             round(good["read_mb"] * 1e6) >= 11 * good["requests"], f"{good}")
    with redis_that_says(b"$-1\r\n") as listener:
        bad = redisload.load("127.0.0.1", listener.getsockname()[1], 5, 2, 1, 5)
    ct.check_equal((bad["requests"], bad["errors"]), (0, 2), "answers and errors of a wrong server")


# What is kept.

def row(cell="c", variant="bare", round_=1, rps=10.0, **more):
    return {"cell": cell, "variant": variant, "round": round_, "rps": rps, "errors": 0,
            "note": "", **more}


@ct.case("store_survives_and_goes_on")
def resume():
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "deep", "file.csv")
        first = store.Store(path, {"library": "x: y"})
        first.add(row(requests=3, p99_ms=1.5))
        first.add(row(round_=2, rps=None, errors=1, note='failed: it said "no",\nand left'))
        try:
            store.Store(path, {})
            raise ct.Failed("two runners wrote one file")
        except store.Busy:
            pass
        first.close()
        # Cut off in the middle of a quoted note: the worst place.
        with open(path, "a") as f:
            f.write('c,bare,3,,,,,,,,,,,0,,,"failed: half')
        again = store.Store(path, {"library": "other"})
        ct.check_equal([again.is_done("c", "bare", n) for n in (1, 2, 3)], [True, False, False],
                       "runs done")
        again.add(row(round_=3))
        again.add(row(round_=2, rps=4.0))
        again.close()
        facts, kept = store.load(path)
        ct.check_equal(facts, {"library": "x: y"}, "facts")
        ct.check_equal({key[2]: each["rps"] for key, each in kept.items()},
                       {1: 10.0, 2: 4.0, 3: 10.0}, "rows")
        ct.check_equal((kept["c", "bare", 1]["requests"], kept["c", "bare", 1]["p99_ms"]),
                       (3, 1.5), "types")


@ct.case("store_goes_by_column_names")
def columns():
    old = "new,round,cell,variant,rps,end\nx,1,c,bare,7.5,.\n"
    _, kept = store.parse(old)
    ct.check_equal((kept["c", "bare", 1]["rps"], kept["c", "bare", 1]["p99_ms"]), (7.5, None),
                   "a file of other columns")
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
        f.write(old)
        f.flush()
        try:
            store.Store(f.name, {})
            raise ct.Failed("a file of other columns was continued")
        except store.Foreign:
            pass


# What is printed.

def synthetic():
    """Three cells: one passes, one loses, one saw errors; each with its rounds."""
    out = {}

    def add(cell, variant, rates, p99=5.0, **more):
        for n, rate in enumerate(rates, 1):
            each = {**dict.fromkeys(store.COLUMNS), **row(cell.id, variant, n, rate),
                    "requests": 500, "p99_ms": p99, **more}
            out[store.key(each)] = each
    good, bad, broken = GROUPS["named"][:3]
    for cell, factor in ((good, 20), (bad, 0.5), (broken, 1)):
        add(cell, "bare", [10, 11, 12, 13, 14])
        add(cell, "auto", [factor * n for n in (10, 11, 12, 13, 14)])
        add(cell, "sndbuf", [factor * n for n in (10, 11, 12, 13, 14)])
    out[broken.id, "auto", 2].update(errors=7, note="the server ended with code -11")
    return out, good, bad, broken


@ct.case("report_says_what_the_data_say")
def report_renders():
    data, good, bad, broken = synthetic()
    facts = {"date": "2026-01-02T03:04:05", "commit": "abc", "seconds": "3", "kernel": "6.1"}
    with tempfile.TemporaryDirectory() as top:
        output, csv_path = os.path.join(top, "RESULTS.md"), os.path.join(top, "raw.csv")
        for path, text in ((output, "# Mine\n\nbefore\n"), (csv_path, "raw\n")):
            with open(path, "w") as f:
                f.write(text)
        os.mkdir(os.path.join(top, "results"))
        with open(os.path.join(top, "results", "reasons.txt"), "w") as f:
            f.write(f"{bad.id}: it is a \\1 test\n")
        skipped = {(good.id, "netty"): "reactor has no --arch netty"}
        for _ in range(2):  # the second replaces the first
            stored = report.write(csv_path, facts, data, ["sndbuf"], skipped, output)
            with open(output, "a") as f:
                f.write("after\n")
        with open(output) as f:
            text = f.read()
        ct.check(os.path.exists(stored), f"{stored} was not stored")
        ct.check_equal(os.path.basename(stored), "matrix-2026-01-02-abc-3s.csv", "name")
    ct.check_equal((text.count(report.BEGIN), text.count(report.END)), (1, 1), "markers")
    ct.check(text.startswith("# Mine\n\nbefore\n") and text.endswith("after\nafter\n"),
             "text outside the markers was touched")
    for want in ("at least 15 times the host alone | pass | ×20.00 (20.00…20.00)",
                 "at least 3 times the host alone | LOSES | ×0.50",
                 f"- {bad.id}: rate / bare ×0.50 (0.50…0.50). it is a \\1 test",
                 "7 errors, the server ended with code -11", "| ERRORS |", "- kernel: 6.1",
                 "Not measured, since reactor has no --arch netty: 1 combinations",
                 f"**{good.id}** {good.title}"):
        ct.check(want in text, f"not in the report: {want}")
    ct.check("few rounds |" not in text and "not a result yet" not in text, "five rounds are few")


@ct.case("report_of_few_rounds_says_so")
def report_few():
    data = {key: each for key, each in synthetic()[0].items() if key[2] < 3}
    text = report.render(report.Data({}, data, ["sndbuf"]), "x.csv", {}, {})
    ct.check("not a result yet" in text and "| few rounds |" in text and "| LOSES |" not in text,
             "two rounds were judged")


# All of it, in a lab.

@ct.case("matrix_measures_resumes_and_reports")
def end_to_end():
    ct.need_tool("wrk")
    lab = os.path.join(ct.B, "lab")
    probe = subprocess.run([lab, "--probe"], capture_output=True, text=True)
    if probe.returncode:
        raise ct.Skip(f"no lab: {(probe.stdout + probe.stderr).strip()}")
    cell = next(c for c in GROUPS["pairwise"] if c.host in ("single", "yield") and c.heavy == 20
                and c.size == 10_000 and c.rtt_ms < 2)
    with tempfile.TemporaryDirectory() as top:
        csv_path, output = os.path.join(top, "m.csv"), os.path.join(top, "R.md")

        def run(*words):
            return subprocess.run([os.path.join(BENCH, "matrix.py"), "--csv", csv_path, "--cells",
                                   f"^{cell.id}$", "--variants", "auto", "--rounds", "1",
                                   "--seconds", "1", *words], text=True, capture_output=True)
        done = run()
        ct.check_equal(done.returncode, 0, f"exit status ({done.stdout}{done.stderr})")
        ct.check("[2/2 0:00:00 left]" in done.stdout, done.stdout)
        _, kept = store.load(csv_path)
        check, timed = kept[cell.id, "auto", 0], kept[cell.id, "auto", 1]
        ct.check_equal((check["note"], timed["errors"]), ("bytes verified", 0), "rows")
        ct.check(timed["rps"] > 0 and timed["cpu_ms"] > 0 and timed["writes"] >= 0.99 and
                 timed["switches"] is not None, json.dumps(timed))
        # A fifth of the requests is heavy: 2080 bytes and a head of 140.
        each = timed["read_mb"] * 1e6 / timed["requests"]
        ct.check(1900 < each < 2600, f"{each:.0f} bytes per answer, so the mix is not 20 %")
        ct.check(": 0 runs to do" in run().stdout, "a finished run was repeated")
        done = run("--report", "--output", output)
        ct.check(done.returncode == 0 and re.search(cell.id, open(output).read()), done.stderr)


ct.main()
