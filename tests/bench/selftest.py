#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What the runner promises about issue 3's list: levels, pairs, named cells, sides, rounds, reasons.

usage: selftest.py    (no lab, no server; a second). Part of `matrix.py --selftest`. What the runner
selects, counts, keeps and prints otherwise is in tests/contract/test_bench_matrix.py.
"""
import itertools
import os
import sys

sys.dont_write_bytecode = True
import cells
import figures
import matrix
import report
import store
import variants

GROUPS = cells.everything()
REACTOR = GROUPS["named"] + GROUPS["pairwise"]
CONFIG_DEF = 'OPT_ENUM(w, "WRITE", 0, "auto|off|grow|spin|block", "")'

# The issue's words, written down a second time on purpose.
LEVELS = {
    "host": {"single", "yield", "pool8", "pool64"},
    "size": {10_000, 100_000, 1_000_000, 8_000_000},
    "rtt_ms": {0, 1, 5, 20},
    "sndbuf": {0, 16384},
    "rcvbuf": {0, 4096},
    "heavy": {0, 2, 20, 50, 100},
    "closing": {False, True},
}


def need(is_so, what):
    if not is_so:
        raise AssertionError(what)


def missing_pairs(chosen):
    """By definition: two levels of two factors, in a cell with heavy requests or about none."""
    for (a, levels_a), (b, levels_b) in itertools.combinations(LEVELS.items(), 2):
        for x, y in itertools.product(levels_a, levels_b):
            is_about_none = (a, x) == ("heavy", 0) or (b, y) == ("heavy", 0)
            if not any(getattr(c, a) == x and getattr(c, b) == y and (c.heavy or is_about_none)
                       for c in chosen):
                yield (a, x), (b, y)


def levels_are_the_issues():
    need({name: set(levels) for name, levels in cells.FACTORS.items()} == LEVELS, cells.FACTORS)


def every_pair_of_levels_occurs():
    """All of them: the rule that leaves out cells leaves out no pair."""
    need(not list(missing_pairs(REACTOR)), list(missing_pairs(REACTOR)))
    need(55 <= len(REACTOR) <= 65, f"{len(REACTOR)} cells are not about 60")


def a_missing_pair_is_seen():
    without = [c for c in REACTOR if not (c.host == "pool64" and c.rtt_ms == 20)]
    need((("host", "pool64"), ("rtt_ms", 20)) in list(missing_pairs(without)), "not seen")


def named_and_real_cells_are_there():
    def one(host, size, sndbuf, closing=False):
        found = [c for c in GROUPS["named"] + GROUPS["real"] if (c.rtt_ms, c.heavy) == (5, 100) and
                 (c.host, c.size, c.sndbuf, c.closing) == (host, size, sndbuf, closing)]
        need(len(found) == 1, f"{host} {size} {sndbuf} {closing}: {len(found)} cells")
        return found[0]
    need(one("pool64", 1_000_000, 16384).rate == 15, "64 workers")
    need(one("yield", 1_000_000, 16384).rate == 3, "yielding reactor")
    need(not one("asyncio", 1_000_000, 0).rate, "asyncio 1 MB")
    need(one("asyncio", 8_000_000, 0).rate == 1.15, "asyncio 8 MB")
    redis = one("redis", 1_000_000, 0)
    need((redis.rate, redis.p99) == (1.03, 0.95), "redis")
    for size, sndbuf, closing in itertools.product((100_000, 1_000_000), (0, 16384), (False, True)):
        need(one("nginx", size, sndbuf, closing).rate == (2.5 if sndbuf and size > 100_000 else 0),
             "nginx")
    need((figures.RATE_LIMIT, figures.HAND_LIMIT) == (0.98, 0.95), "limits")


def sides_and_rounds_are_the_issues():
    """Alone, default, forced, by hand: all in round 1, what is judged in each; checks first."""
    plan = matrix.Plan(matrix.parse_options(["--part", "named"]), CONFIG_DEF)
    cell = GROUPS["named"][0]
    runs = plan.runs(cell, contenders={"threads"})
    names = ["bare", "auto", "grow", "spin", "block", "sndbuf", "threads", "netty"]
    need([run for run in runs[:8]] == [[name, 0] for name in names], "checks come first")
    rounds = {name: sorted(r for n, r in runs if n == name and r) for name in names}
    need(all(rounds[name] == [1, 2, 3, 4, 5] for name in ("bare", "auto", "threads")), rounds)
    need(all(rounds[name] == [1, 2, 3] for name in ("grow", "spin", "block")), rounds)
    need(rounds["sndbuf"] == rounds["netty"] == [1], rounds)
    order = [r for _, r in runs if r]
    need(order == sorted(order), "a round is not whole before the next")
    need({c.id for _, c in plan.cells} == {c.id for c in GROUPS["named"]}, "part")


def first_round_chooses_the_contenders():
    plan = matrix.Plan(matrix.parse_options(["--part", "named"]), CONFIG_DEF)
    cell = GROUPS["named"][0]
    need(plan.contenders(cell, {}) is None, "contenders of nothing")
    rows = {(cell.id, name, 1): {"rps": rps} for name, rps in
            (("sndbuf", 100), ("threads", 91), ("netty", None))}
    need(plan.contenders(cell, rows) == {"sndbuf", "threads"}, "contenders")
    del rows[cell.id, "threads", 1]
    need(plan.contenders(cell, rows) is None, "contenders of half a round")
    # A lucky first round does not make the best of a variant that was left behind.
    by = {"sndbuf": {n: {"rps": 90} for n in range(1, 6)}, "netty": {1: {"rps": 95}}}
    need(figures.best(by, ["sndbuf", "netty"], "rps") == "sndbuf", "best")


def synthetic(cell, **rates):
    rows = {}
    for name, rate in rates.items():
        for n in range(1, 6):
            row = {**dict.fromkeys(store.COLUMNS), "cell": cell.id, "variant": name, "round": n,
                   "rps": rate, "p99_ms": 5.0 + n, "requests": 500, "errors": 0, "note": ""}
            rows[store.key(row)] = row
    return rows


def reasons_belong_to_losers():
    bad, good, other = GROUPS["named"][2], GROUPS["real"][0], GROUPS["real"][3]
    rows = {**synthetic(bad, bare=10.0, auto=5.0), **synthetic(good, bare=10.0, auto=10.0)}
    data = report.Data({}, rows, ["sndbuf"])
    reasons = {bad.id: "a test", good.id: "none", other.id: "not measured", "nowhere": "typo"}
    said = list(report.idle_reasons(data.judged(), reasons))
    need(said == [f"{good.id} has a reason but does not lose", "nowhere is no cell"], said)
    text = report.render(data, "x.csv", {}, reasons)
    need(f"- {bad.id}: rate / bare ×0.50 (0.50…0.50). a test" in text, "reason beside the loser")
    need("**INCOMPLETE: measured so far: named 1 of" in text, "incomplete data not marked")
    need("8.00 (6.00…10.0)" in text, "no p99 with its spread")


def every_cell_has_its_hand_tuned_variants():
    every = variants.all_variants(CONFIG_DEF)
    for cell in itertools.chain(*GROUPS.values()):
        hand = {v.name for v in variants.of_cell(cell, every) if v.kind == "hand"} - {"hybrid"}
        wanted = {"redis": set(), "nginx": {"sndbuf"}, "asyncio": {"sndbuf"}}
        need(hand == wanted.get(cell.host, {"sndbuf", "threads", "netty"}), f"{cell.id}: {hand}")


def main():
    failed = 0
    for test in (levels_are_the_issues, every_pair_of_levels_occurs, a_missing_pair_is_seen,
                 named_and_real_cells_are_there, sides_and_rounds_are_the_issues,
                 first_round_chooses_the_contenders, reasons_belong_to_losers,
                 every_cell_has_its_hand_tuned_variants):
        try:
            test()
            print(f"ok {test.__name__}")
        except AssertionError as why:
            failed += 1
            print(f"not ok {test.__name__}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
