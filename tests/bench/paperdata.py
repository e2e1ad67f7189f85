# SPDX-License-Identifier: MIT
"""
The raw data of the papers' figures, and what they say of a figure's points, rows and limits.

Two points are compared round by round, as variants are in the matrix: a round goes once through all
cells of a figure, so runs of a round are neighbours in time.
"""
import dataclasses

import figures
import store
from figs.model import CALIBRATION

EXTRA = {  # columns besides the matrix's
    "own_writes": float, "handovers": float, "stalls": float, "voluntary": float,  # by the server
    "mean_ms": float, "mbps": float, "timeouts_pct": float, "refused": int, "unsent": int,
    "futex_pct": float, "futex_calls": float, "futex_time_pct": float,
}
COLUMNS = {**store.COLUMNS, **EXTRA}
MET, CLOSE, UNMET, FEW, NOTHING = "met", "close", "UNMET", "few rounds", "not measured"


def capacity(rows):
    """Requests per second that loads are parts of; None before it is measured."""
    found = figures.spread([row["rps"] for row in rows.values() if row["cell"] == CALIBRATION.id])
    return found.middle if found else None


@dataclasses.dataclass(frozen=True)
class Verdict:
    word: str
    rounds: int = 0
    worst: figures.Spread = None  # of the pair farthest from what is wished
    pair: tuple = ()
    kept: int = 0                 # pairs whose median keeps the limit
    pairs: int = 0                # pairs measured
    failing: tuple = ()           # ((pair, spread), …), the worst first


class Data:
    def __init__(self, facts, rows):
        self.facts, self.rows = facts, rows
        self.by_run = {}
        for row in rows.values():
            if row["round"] and row["rps"] is not None:
                self.by_run.setdefault((row["cell"], row["variant"]), {})[row["round"]] = row

    def runs(self, cell, variant):
        return self.by_run.get((cell.id, variant), {})

    @staticmethod
    def column(cell, metric):
        return figures.throughput(cell) if metric == "rate" else metric

    def spread(self, cell, variant, metric):
        """Of a cell's runs; a rate is in requests per second whatever the requests are."""
        column = "rps" if metric == "rate" else metric
        return figures.spread([row[column] for row in self.runs(cell, variant).values()])

    def compare(self, figure, of, to, metric, of_variant, to_variant):
        """Spread of of / to over the rounds, or of `of` itself; None where one is missing."""
        metric, cell = metric or figure.metric, figure.cell(of)
        if not to:
            return self.spread(cell, of_variant, metric)
        return figures.ratios(self.runs(cell, of_variant), self.runs(figure.cell(to), to_variant),
                              self.column(cell, metric))

    def row(self, figure, row, variant):
        return self.compare(figure, row.of, row.to, row.metric, variant, variant)

    def judge(self, figure, limit):
        """
        The worst pair decides. That no round of three keeps a limit is chance in one of eight honest
        ties, so fewer rounds than the matrix asks for are no proof of a failure.
        """
        found = []
        for pair in limit.pairs:
            spread = self.compare(figure, *pair, limit.metric, limit.of_variant, limit.to_variant)
            if spread:
                found.append((*distance(spread, limit), spread, pair))
        if not found:
            return Verdict(NOTHING)
        middle, nearest, spread, pair = max(found, key=lambda f: f[:2])
        word = MET if middle <= 0 else CLOSE if any_round(found) else UNMET
        if word == UNMET and spread.count < figures.ENOUGH_ROUNDS:
            word = FEW
        failing = sorted((f for f in found if f[0] > 0), key=lambda f: f[:2], reverse=True)
        return Verdict(word, spread.count, spread, pair, len(found) - len(failing), len(found),
                       tuple((f[3], f[2]) for f in failing))


def any_round(found):
    """Whether each pair that fails by its median has a round that keeps the limit."""
    return all(nearest <= 0 for middle, nearest, *_ in found if middle > 0)


def distance(spread, limit):
    """How far median and best round are beyond the limit, relative to it; ≤ 0: not at all."""
    def beyond(value):
        below = limit.low - value if limit.low is not None else float("-inf")
        above = value - limit.high if limit.high is not None else float("-inf")
        return max(below, above)
    if limit.low is not None and limit.high is not None:
        best = min(max(spread.low, limit.low), spread.high)  # the nearest value runs span
    else:
        best = spread.high if limit.low is not None else spread.low
    return beyond(spread.middle), beyond(best)
