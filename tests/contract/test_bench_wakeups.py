#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benchmark of the wake-up policies: cells, verdicts, report on synthetic data; its hosts."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ct

BENCH = os.path.join(ct.ROOT, "tests", "bench")
RUNNER = os.path.join(BENCH, "wakeups", "wakeups.py")
sys.path[1:1] = [os.path.dirname(RUNNER), BENCH]
import figures
import hosts
import meter
import onerun
import scenes
import section
import servers
import store
import verdicts
import wakeups

CELLS = {cell.id: cell for cell in scenes.everything()}
CONFIG_DEF = 'OPT_SET(wake, "WAKE", 1, "auto|off|exclusive|mask|stretch|gather",\n'


# What is measured.

@ct.case("cells_are_the_issues")
def issues_list():
    """The issue's words, written down a second time on purpose."""
    wanted = {**{f"asyncio-{n}": "exclusive" for n in (2, 4, 16, 64)}, "asyncio-16-single":
              "exclusive", **{f"out-{n}": "mask" for n in (1, 16, 64)}, "poll0": "stretch",
              "poll1ms": "stretch", "poll0-flag": "stretch",
              **{f"fanout-1-{n}": "gather" for n in (1, 2, 4)},
              **dict.fromkeys(("nginx-keep", "nginx-close", "redis", "node"), "")}
    ct.check_equal({c.id: c.policy for c in CELLS.values()}, wanted, "cells and their policies")
    limits = {(c.id, w.what): w.limit for c in CELLS.values() for w in c.wants}
    idle = {(name, what): limit for name in ("out-1", "out-16", "out-64", "poll0", "poll1ms")
            for what, limit in (("waste_gone", 0.9), ("p99", 1.05))}
    fanout = {(f"fanout-1-{n}", what): limit for n in (1, 2, 4)
              for what, limit in (("events", 3), ("rate", 1.1))}
    same = {(name, what): None for name in ("nginx-keep", "nginx-close", "redis", "node")
            for what in ("same_rate", "same_p99")}
    ct.check_equal(limits, {("asyncio-16", "rate"): 1.3, ("asyncio-16", "switches"): 0.2, **idle,
                            **fanout, **same}, "expectations")


@ct.case("variants_are_bare_observe_auto_and_the_policy")
def variants_of_cells():
    def names(cell):
        return [v.name for v in scenes.variants_of(CELLS[cell])]
    ct.check_equal(names("asyncio-4"), ["bare", "observe", "auto", "exclusive"], "workers")
    ct.check_equal(names("out-16"), ["bare", "observe", "auto", "mask", "proper"], "a fault")
    ct.check_equal(names("redis"), ["bare", "auto"], "a control")
    proper = list(scenes.variants_of(CELLS["poll0"]))[-1]
    ct.check_equal((proper.args_of(CELLS["poll0"]), proper.is_shimmed),
                   (("--fault", "none"), False), "proper")
    for cell in CELLS.values():
        for v in scenes.variants_of(cell):
            ct.check(v.is_shimmed or not v.settings, f"{cell.id} {v.name}: settings of no shim")


def plan(*words, config_def=CONFIG_DEF, which=lambda name: name):
    return wakeups.Plan(wakeups.parse_options(words), config_def, which)


@ct.case("plan_skips_words_the_library_does_not_know")
def unknown_words():
    with open(os.path.join(ct.ROOT, "shim", "config.def")) as f:
        ct.check("exclusive" in scenes.wake_words(f.read()), "exclusive is no word of config.def")
    ct.check_equal(plan().skipped, {}, "skipped")
    old = plan(config_def=CONFIG_DEF.replace("|mask", ""))
    ct.check_equal(old.skipped, {(f"out-{n}", "mask"): "this library's UNSPIN_WAKE has no word "
                                 "'mask'" for n in (1, 16, 64)}, "skipped")
    ct.check("mask" not in old.variants["out-1"] and "auto" in old.variants["out-1"], "left")
    lacking = plan(which=lambda name: None if name == "node" else name)
    ct.check_equal(set(lacking.skipped), {("node", "bare"), ("node", "auto")}, "without node")


@ct.case("plan_interleaves_resumes_and_keeps_its_time")
def plan_runs():
    full, cell = plan(), CELLS["out-1"]
    runs = full.runs(cell)
    ct.check_equal([name for name, r in runs if r == 0], list(full.variants["out-1"]), "checks")
    orders = [[name for name, r in runs if r == n] for n in range(1, 6)]
    ct.check(all(sorted(o) == sorted(orders[0]) for o in orders), "each once a round")
    ct.check_equal(len({o[0] for o in orders}), 5, "who begins a round")
    done = {("out-1", name, r) for name, r in runs} - {("out-1", "auto", 3)}
    ct.check_equal(full.runs(cell, lambda *run: run in done), [("auto", 3)], "left after a break")
    for words, limit_s in (((), 30 * 60), (("--quick",), 4 * 60)):
        p = plan(*words)
        total = sum(p.estimate_s(c, p.runs(c)) for c in p.cells)
        ct.check(total < limit_s, f"{words}: about {total:.0f} s")
    ct.check_equal({c.group for c in plan("--quick").cells}, set(scenes.GROUPS), "quick groups")


# What is said of it.

def rows(cell, variant, **columns):
    """Five rounds; a column's value may be one for all."""
    for n in range(5):
        each = {name: value[n] if isinstance(value, list) else value
                for name, value in columns.items()}
        yield {**dict.fromkeys(onerun.COLUMNS), "cell": cell, "variant": variant, "round": n + 1,
               "errors": 0, "note": "", "requests": 500, "cpu_cores": 0.5, "rps": 100.0,
               "p50_ms": 1.0, "p99_ms": 2.0, "switches": 1.0, "cpu_ms": 1.0, "busiest": 0.1,
               "idle_pct": 1.0, **each}


def by_variant(*groups):
    out = {}
    for group in groups:
        for row in group:
            out.setdefault(row["variant"], {})[row["round"]] = row
    return out


def word(what, limit, by, name="auto"):
    return verdicts.judge(scenes.Want(what, limit), by, name)[1]


@ct.case("verdicts_wasted_cpu_is_beyond_the_proper_host")
def waste():
    by = by_variant(rows("c", "bare", cpu_cores=1.0), rows("c", "proper", cpu_cores=0.02),
                    rows("c", "auto", cpu_cores=[0.05, 0.06, 0.07, 0.5, 0.9]))
    found, verdict = verdicts.judge(scenes.Want("waste_gone", 0.9), by, "auto")
    ct.check(abs(found.middle - (1 - 0.05 / 0.98)) < 1e-9, found)
    ct.check(abs(found.low - (1 - 0.88 / 0.98)) < 1e-9, found)
    ct.check_equal(verdict, figures.PASS, "verdict")
    ct.check_equal(word("waste_gone", 0.97, by), figures.LOSES, "of 0.97")
    ct.check_equal(word("waste_gone", 0.96, by), figures.CLOSE, "of 0.96")
    del by["proper"]
    ct.check_equal(verdicts.judge(scenes.Want("waste_gone", 0.9), by, "auto"), (None, ""),
                   "without a host that waits properly")


@ct.case("verdicts_starving_side_is_the_thinner_one")
def starving():
    def by(front, back):
        return by_variant(
            rows("c", "bare", front_events=front, back_events=back),
            rows("c", "auto", front_events=front * 4, back_events=back * 2))
    ct.check_equal([word("events", 3, by(*sides)) for sides in ((1.5, 9.0), (9.0, 1.5))],
                   [figures.PASS, figures.LOSES], "front, back")


@ct.case("verdicts_limits_and_noise")
def limits():
    by = by_variant(rows("c", "bare", rps=[90.0, 95.0, 100.0, 105.0, 110.0]),
                    rows("c", "auto", rps=[91.0, 91.0, 92.0, 93.0, 91.0], switches=0.19,
                         p99_ms=2.2))
    ct.check_equal(word("same_rate", None, by), figures.PASS, "within the bare host's own runs")
    ct.check_equal(word("same_p99", None, by), figures.LOSES, "p99 above all of its runs")
    ct.check_equal(word("switches", 0.2, by), figures.PASS, "switches")
    ct.check_equal(word("switches", 0.18, by), figures.LOSES, "switches")
    ct.check_equal(word("p99", 1.05, by), figures.LOSES, "p99")
    by["auto"] = by_variant(rows("c", "auto", rps=80.0))["auto"]
    ct.check_equal(word("same_rate", None, by), figures.LOSES, "below all of its runs")
    short = {name: {1: runs[1]} for name, runs in by.items()}
    ct.check_equal(word("rate", 1.3, short), figures.FEW, "one round")


FACTS = {"date": "2026-01-02T03:04:05", "commit": "abc", "kernel": "6.1"}


def written(top, all_rows, reasons="", skipped=()):
    output, csv_path = os.path.join(top, "RESULTS.md"), os.path.join(top, "raw.csv")
    data = {store.key(row): row for row in all_rows}
    if not os.path.exists(output):
        os.makedirs(os.path.join(top, "results"))
        for path, text in ((output, "# Mine\n\nbefore\n"), (csv_path, "raw\n"),
                           (os.path.join(top, "results", "wakeups-reasons.txt"), reasons)):
            with open(path, "w") as f:
                f.write(text)
    stored = section.write(csv_path, FACTS, data, dict(skipped), output)
    with open(output) as f:
        return stored, f.read()


@ct.case("report_says_what_the_data_say")
def report_renders():
    sample = [*rows("asyncio-16", "bare"),
              *rows("asyncio-16", "auto", rps=150.0, switches=0.1),
              *rows("asyncio-16", "exclusive", rps=120.0, switches=0.1),
              *rows("redis", "bare"), *rows("redis", "auto", rps=50.0),
              *rows("poll0-flag", "auto", late_p50_us=250.0, late_p99_us=500.0, late_max_us=600.0)]
    sample[3].update(errors=2, note="it said so")
    with tempfile.TemporaryDirectory() as top:
        written(top, sample, "redis: a \\1 test\n", {("out-1", "mask"): "no such word"})
        stored, text = written(top, sample, skipped={("out-1", "mask"): "no such word"})
        ct.check_equal((os.path.basename(stored), os.path.exists(stored)),
                       ("wakeups-2026-01-02-abc.csv", True), "raw data")
    ct.check_equal((text.count("<!-- begin wakeups -->"), text.count("<!-- end wakeups -->"),
                    text.startswith("# Mine\n\nbefore\n")), (1, 1, True), "markers")
    for want in ("1.3 times the requests per second | pass | ×1.50 (1.50…1.50) | LOSES | ×1.20",
                 "0.2 times the context switches per request | pass | ×0.10",
                 "requests per second unchanged within noise | LOSES | ×0.50",
                 "of the wasted CPU gone | not measured", "a \\1 test", "INCOMPLETE",
                 "it said so", "- no such word: out-1 mask", "×0.500 (0.500…0.500)",
                 "| asyncio-16 | auto | 5 |", "×1.60 (1.60…1.60)", "- kernel: 6.1"):
        ct.check(want in text, f"not in the report: {want}")
    ct.check("fewer than" not in text.split("- date")[0], "five rounds are few")


@ct.case("report_of_few_rounds_says_so")
def report_few():
    with tempfile.TemporaryDirectory() as top:
        few = [row for name in ("bare", "auto") for row in rows("redis", name, rps=50.0)
               if row["round"] < 3]
        _, text = written(top, few)
    ct.check("not a result yet" in text and "few rounds |" in text and "| LOSES |" not in text,
             text)


# The hosts.

@contextlib.contextmanager
def running(cell_id, args=None):
    cell = CELLS[cell_id]
    variant = scenes.Variant("bare", is_shimmed=False, args=args or ())
    with tempfile.TemporaryDirectory() as place:
        hosts.prepare(place)
        with hosts.shards(place, cell) as ports:
            server = hosts.Host(ct.B, place, cell, variant, ports)
            with server:
                hosts.verify(ct.B, place, cell, server.port)
                yield server, place, cell
            server.said = hosts.last_words(server)


def load(server, cell, seconds):
    argv = hosts.load_argv(ct.B, cell, server.port, seconds, 0.1)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    ct.check_equal(done.returncode, 0, f"the client said {done.stderr}")
    return hosts.parse_load(cell, done.stdout, seconds)


@ct.case("hosts_have_the_faults_they_are_for")
def faults():
    waits_of = {}
    for fault in ("none", "out", "poll0", "poll1ms"):
        with running("out-16", ("--fault", fault)) as (server, _, cell):
            row = load(server, cell, 0.5)
        # 200 a second, for 0.6 s; a machine with other work to do is behind in places.
        ct.check(60 < row["requests"] + row["warm_requests"] < 180, json.dumps(row))
        waits_of[fault] = server.said["waits"] / server.said["requests"]
    ct.check(waits_of["none"] < 2, f"waits per request: {waits_of}")
    ct.check(waits_of["out"] > 20 and waits_of["poll0"] > 20, f"waits per request: {waits_of}")
    ct.check(waits_of["none"] < waits_of["poll1ms"] < 20, f"waits per request: {waits_of}")


@ct.case("hosts_find_work_handed_over_by_a_flag_only_if_they_poll")
def flags():
    with running("poll0-flag") as (server, _, _):
        time.sleep(0.5)
    said = server.said
    ct.check(said["posted"] >= 5 and said["late_p50_us"] <= said["late_p99_us"], json.dumps(said))
    done = subprocess.run([os.path.join(ct.B, "bench", "wakeups", "faulty"), "--port", "1",
                           "--flag-every-ms", "5"], capture_output=True, timeout=10)
    ct.check_equal(done.returncode, 2, "a host that never looks")


@ct.case("hosts_workers_count_every_request")
def workers():
    with running("asyncio-4") as (server, _, cell):
        row = load(server, cell, 0.3)
    said = server.said["requests"]
    # The byte check's 8, and at most one per client that the end of the load cut off.
    extra = sum(said) - 8 - row["requests"] - row["warm_requests"]
    ct.check(len(said) == 4 and 0 <= extra <= cell.conns, f"{said}, the client {row}")


@ct.case("hosts_fan_out_to_every_shard")
def fanout():
    ct.need_tool("redis-server")
    with running("fanout-1-2") as (server, _, cell):
        row = load(server, cell, 0.3)
    front, back = server.said["front"], server.said["back"]
    ct.check_equal((len(front), len(back)), (1, 2), "reactors")
    answers = row["requests"] + row["warm_requests"]
    ct.check(all(0 < side["waits"] <= side["events"] for side in front + back) and
             sum(side["events"] for side in back) <= 4 * (answers + 200), json.dumps(server.said))


@ct.case("verify_sees_a_wrong_byte")
def wrong_byte():
    with running("out-1") as (server, place, cell):
        with open(hosts.body_path(place, "body"), "r+b") as f:
            f.write(b"!")
        try:
            hosts.verify(ct.B, place, cell, server.port)
        except servers.Failed:
            return
    raise ct.Failed("a wrong answer was taken for right")


@ct.case("meter_counts_cpu_and_switches_of_all_threads")
def usage():
    code = ("import threading, time\n"
            "def work():\n"
            "    while True: time.sleep(0.001); sum(range(20000))\n"
            "threading.Thread(target=work, daemon=True).start(); time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        time.sleep(0.3)
        first = meter.Usage(process.pid)
        time.sleep(0.5)
        second = meter.Usage(process.pid)
    finally:
        process.kill()
        process.wait()
    cpu_s, switches = second.cpu_s - first.cpu_s, second.switches - first.switches
    ct.check(0.005 < cpu_s < 1 and switches > 20, f"{cpu_s:.3f} s, {switches} switches")


# All of it.

@ct.case("wakeups_measures_resumes_and_reports")
def end_to_end():
    with tempfile.TemporaryDirectory() as top:
        csv_path, output = os.path.join(top, "w.csv"), os.path.join(top, "R.md")

        def run(*words):
            return subprocess.run([RUNNER, "--csv", csv_path, "--cells", "^(out-1|asyncio-2)$",
                                   "--rounds", "1", "--scale", "0.2", *words], text=True,
                                  capture_output=True, timeout=120)
        done = run()
        ct.check_equal(done.returncode, 0, f"exit status ({done.stdout}{done.stderr})")
        _, kept = store.load(csv_path, onerun.COLUMNS)
        ct.check_equal(kept["out-1", "auto", 0]["note"], "bytes verified", "byte check")
        for name in ("bare", "observe", "auto", "proper"):
            row = kept["out-1", name, 1]
            ct.check(row["rps"] > 0 and row["cpu_cores"] > 0 and row["waits"] > 0 and
                     row["switches"] is not None, json.dumps(row))
        waste = [kept["out-1", name, 1]["waits"] for name in ("bare", "proper")]
        ct.check(waste[0] > 20 > waste[1], f"waits per request, bare and proper: {waste}")
        row = kept["asyncio-2", "observe", 1]
        ct.check(0.5 <= row["busiest"] <= 1 and row["waits"] > 0, json.dumps(row))
        with open(os.path.join(top, "w.stat", "asyncio-2-observe")) as f:
            ct.check(re.search(r"^accepts \d+$", f.read(), re.M), "totals were not kept")
        ct.check_equal(kept["asyncio-2", "bare", 1]["waits"], None, "waits nobody counted")
        ct.check(": 0 runs to do" in run().stdout, "a finished run was repeated")
        done = run("--report", "--output", output)
        with open(output) as f:
            ct.check(done.returncode == 0 and re.search(r"\| out-1 \| proper \| 1 \|", f.read()),
                     done.stderr)


ct.main()
