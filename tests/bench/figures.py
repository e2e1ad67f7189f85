# SPDX-License-Identifier: MIT
"""
The statistics of the report.

Runs of a round are neighbours in time, so two variants are compared round by round: the ratio of
two variants is the median of the rounds' ratios, its spread the smallest and the largest of them.
Drift of the machine over minutes then falls out, which it would not of a ratio of medians.

A limit is kept ("pass") when the ratio keeps it; "close" when only some rounds do; "LOSES" when no
round does. Smallest and largest of five hold the true median with probability 1 - 2/2^5 = 0.94, so
"LOSES" is what chance makes of an honest tie in 3 cells of 100. Of fewer rounds nothing is said.
"""
import dataclasses
import statistics

PASS, CLOSE, LOSES, FEW = "pass", "close", "LOSES", "few rounds"
ENOUGH_ROUNDS = 5

RATE_LIMIT = 0.98  # of the host alone
HAND_LIMIT = 0.95  # of the best hand-tuned variant
P99_LIMIT = 1.02   # of the host alone: as much is no difference, like 0.98 of the rate


@dataclasses.dataclass(frozen=True)
class Spread:
    middle: float
    low: float
    high: float
    count: int


def spread(values):
    """Median, smallest, largest; None of nothing."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratios(of, to, name):
    """of and to: {round: row}. Ratios of the rounds that both have; None if there are none."""
    pairs = [(of[n][name], to[n][name]) for n in sorted(set(of) & set(to))]
    return spread([a / b for a, b in pairs if a is not None and b])


def word(count, keeps, some_keep):
    if count < ENOUGH_ROUNDS:
        return FEW if count else ""
    return PASS if keeps else CLOSE if some_keep else LOSES


def at_least(ratio, limit):
    return word(ratio.count, ratio.middle >= limit, ratio.high >= limit) if ratio else ""


def at_most(ratio, limit):
    return word(ratio.count, ratio.middle <= limit, ratio.low <= limit) if ratio else ""


def not_above(of, to, name):
    """
    Not above, outside the noise shown: pass when the ratio is within P99_LIMIT, or the median
    within the other's own runs; close when some run is.
    """
    ratio = ratios(of, to, name)
    of, to = (spread([row[name] for row in rows.values()]) for rows in (of, to))
    if not ratio:
        return ""
    return word(ratio.count, ratio.middle <= P99_LIMIT or of.middle <= to.high,
                of.low <= to.high)


def not_below(of, to, name):
    """The same of a rate: within RATE_LIMIT, or the median within the other's own runs."""
    ratio = ratios(of, to, name)
    of, to = (spread([row[name] for row in rows.values()]) for rows in (of, to))
    if not ratio:
        return ""
    return word(ratio.count, ratio.middle >= RATE_LIMIT or of.middle >= to.low,
                of.high >= to.low)


def throughput(cell):
    """
    The column that says how much was served. With a mix of requests it is bytes, not answers: a
    heavy answer under way when the run ends is in no rate, so that a host would look the faster
    the fewer of its heavy answers it finished. In the long run both are the same.
    """
    return "read_mb" if cell.is_mixed else "rps"


def is_whole_mix(cell, rows):
    """
    Whether the answers finished are, by their bytes, about the mix that was asked for. Percentiles
    over few heavy answers, or none, say nothing of the percentiles over the mix.
    """
    if not cell.is_mixed:
        return True
    found = spread([row["read_mb"] * 1e6 / row["requests"] / cell.mean_bytes
                    for row in rows.values() if row["requests"] and row["read_mb"]])
    return bool(found) and 0.8 <= found.middle <= 1.25


def timed(rows, cell, variant):
    """{round: row} of the runs that measured something."""
    return {row["round"]: row for row in rows
            if row["cell"] == cell and row["variant"] == variant and row["round"]
            and row["rps"] is not None}


def best(by_variant, names, column):
    """
    The name with the largest median of a column, or None. Of those with most rounds: the others
    were left behind in the first (contenders).
    """
    found = {name: spread([row[column] for row in by_variant[name].values()])
             for name in names if by_variant.get(name)}
    found = {name: value for name, value in found.items() if value}
    most = max((min(value.count, ENOUGH_ROUNDS) for value in found.values()), default=0)
    medians = {name: value.middle for name, value in found.items() if value.count >= most}
    return max(medians, key=medians.get) if medians else None


def contenders(values, share):
    """values: name -> figure of the first round. Those that come within share of the largest."""
    most = max(values.values(), default=0)
    return {name for name, value in values.items() if value >= share * most}


@dataclasses.dataclass
class Verdicts:
    """What one cell says of one shim variant. Words as above, "" where it cannot be said."""
    rate: Spread      # throughput, ratio to the host alone
    rate_word: str
    best_hand: str    # name
    hand: Spread      # ratio to it
    hand_word: str
    p99: Spread
    p99_word: str
    errors: int

    @property
    def word(self):
        """Of the cell as a whole: the worst."""
        words = (self.rate_word, self.hand_word, self.p99_word)
        if self.errors:
            return "ERRORS"
        return next((each for each in (LOSES, CLOSE, FEW, PASS) if each in words), "")


def judge(cell, by_variant, hand_names, of="auto"):
    """cell: cells.Cell with its expectations; by_variant: name -> {round: row}."""
    bare, shim = by_variant.get("bare", {}), by_variant.get(of, {})
    column = throughput(cell)
    rate, p99 = ratios(shim, bare, column), ratios(shim, bare, "p99_ms")
    hand_name = best(by_variant, hand_names, column)
    hand = ratios(shim, by_variant[hand_name], column) if hand_name else None
    if not (is_whole_mix(cell, bare) and is_whole_mix(cell, shim)):
        p99_word = ""
    elif cell.p99:
        p99_word = at_most(p99, cell.p99)
    else:
        p99_word = not_above(shim, bare, "p99_ms")
    return Verdicts(
        rate, at_least(rate, cell.rate or RATE_LIMIT), hand_name or "", hand,
        at_least(hand, HAND_LIMIT), p99, p99_word,
        sum(row["errors"] or 0 for rows in by_variant.values() for row in rows.values()))
