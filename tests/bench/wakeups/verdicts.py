# SPDX-License-Identifier: MIT
"""
From rows to what the issue expects. by: variant name -> {round: row}, of one cell.

Wasted CPU is what a host uses beyond the same host without its fault (`proper`), run in the same
round. The side that starves in a fan-out is the one with fewer events per wait in the host alone.
"""
import figures
import scenes


def waste_gone(by, name):
    """Share of the wasted CPU that is gone; 1 is all of it."""
    shares = []
    rounds = set(by.get(name, {})) & set(by.get("bare", {})) & set(by.get("proper", {}))
    for n in sorted(rounds):
        cpu, bare, proper = (by[each][n]["cpu_cores"] for each in (name, "bare", "proper"))
        if bare > proper:
            shares.append(1 - (cpu - proper) / (bare - proper))
    return figures.spread(shares)


def starving(by):
    """The column of the side that waits more often for less; None where nothing was measured."""
    sides = {column: figures.spread([row[column] for row in by.get("bare", {}).values()])
             for column in ("front_events", "back_events")}
    return min(sides, key=lambda column: sides[column].middle) if all(sides.values()) else None


def to_bare(column):
    def ratio(by, name):
        return figures.ratios(by.get(name, {}), by.get("bare", {}), column)
    return ratio


def events(by, name):
    column = starving(by)
    return to_bare(column)(by, name) if column else None


def with_limit(measure, keeps):
    return lambda by, name, limit: keeps(measure(by, name), limit)


def within_noise(keeps, column):
    return lambda by, name, _: keeps(by.get(name, {}), by.get("bare", {}), column)


# what: (in words, figure of a variant, verdict on it)
MEASURES = {
    "rate": ("at least {} times the requests per second", to_bare("rps"),
             with_limit(to_bare("rps"), figures.at_least)),
    "switches": ("at most {} times the context switches per request", to_bare("switches"),
                 with_limit(to_bare("switches"), figures.at_most)),
    "waste_gone": ("at least {} of the wasted CPU gone", waste_gone,
                   with_limit(waste_gone, figures.at_least)),
    "p99": ("p99 at most {} times", to_bare("p99_ms"),
            with_limit(to_bare("p99_ms"), figures.at_most)),
    "events": ("at least {} times the events per wait of the side that starves", events,
               with_limit(events, figures.at_least)),
    "same_rate": ("requests per second unchanged within noise", to_bare("rps"),
                  within_noise(figures.not_below, "rps")),
    "same_p99": ("p99 unchanged within noise", to_bare("p99_ms"),
                 within_noise(figures.not_above, "p99_ms")),
}


def judge(want, by, name):
    """(figure, word) of one expectation and one variant."""
    _, figure, verdict = MEASURES[want.what]
    return figure(by, name), verdict(by, name, want.limit)


def in_words(want):
    return MEASURES[want.what][0].format(want.limit)


def losses(cell, by):
    """
    (variant, text, ratio) of what a shim variant makes worse than the host alone, whether or not
    the issue asks for it: fewer requests, or a p99 above it, outside the noise.
    """
    for variant in scenes.variants_of(cell):
        of, bare = by.get(variant.name, {}), by.get("bare", {})
        if not variant.is_shimmed or cell.is_idle or not of or not bare:
            continue
        for text, column, keeps in (("requests per second", "rps", figures.not_below),
                                    ("p99", "p99_ms", figures.not_above)):
            word = keeps(of, bare, column)
            if word in (figures.CLOSE, figures.LOSES):
                yield variant.name, text, figures.ratios(of, bare, column), word
