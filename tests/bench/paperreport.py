# SPDX-License-Identifier: MIT
"""The section "The papers' figures" of docs/RESULTS.md, with raw data and plots beside it."""
import os

import figs
import figures
import paperdata
import plots
import record
import sessions
import store
from figs.model import CALIBRATION, WORDS
from report import number, ratio_text, table, with_range

SECTION = "papers"
READING = f"""\
Each cell is measured bare and with the shim's defaults, one after the other, each time on a fresh
server whose answers were compared byte for byte before (every size of the file set, too). Rounds go
through all cells of a figure in turn. Ratios are medians over the rounds of the ratios within a
round; in brackets the smallest and the largest. *met*: the median keeps the limit in every pair;
*close*: where it does not, some round does; *UNMET*: no round of some pair does, of
{figures.ENOUGH_ROUNDS} at least (with fewer: *few rounds*, it may be chance).

Server, client and the lab's delay line share two cores. As in the matrix nothing is pinned, except
where a figure says "one core" (server on CPU 0, client on CPU 1) or "two" (a pinned copy on each).
Closed loops without a round trip are wrk's, from cold, a second each; with a round trip they are
timedload's, which warms up on the connections it measures and counts the bytes of answers that are
under way when the window closes (wrk counts none of them, and at 5 ms that may be a tenth).
Sessions are httperf's, {sessions.PROCESSES} processes of up to 1020 connections; their throughput is
what leaves the server while sessions begin, from {sessions.SETTLE_S} s on. Rows and plots of a mix are in requests per
second, ratios of it are of the bytes read.
"""


def point_text(point):
    name, fields = point
    return ", ".join([name, *(f"{key} {value:g}" if not isinstance(value, str) else value
                              for key, value in fields.items())])


def value_text(row, spread):
    return ratio_text(spread) if row.to else with_range(spread)


def rows_table(data, figure):
    head = ["", "paper", "bare", "with the shim"]
    return table(head, [[row.text, row.paper,
                         *(value_text(row, data.row(figure, row, variant))
                           for variant in ("bare", "auto"))] for row in figure.rows])


def limit_row(data, figure, limit):
    v = data.judge(figure, limit)
    has_to = any(to for _, to in limit.pairs)
    bound = " ".join(f"{sign} {value:g}" for sign, value in (("≥", limit.low), ("≤", limit.high))
                     if value is not None)
    if v.word == paperdata.NOTHING:
        return [limit.text, bound, v.word, "–"]
    rounds = f"{v.rounds} round{'s' * (v.rounds != 1)}"
    count = f", {v.kept} of {v.pairs}" if v.pairs > 1 else ""
    where = pair_text(v.pair)
    value = ratio_text(v.worst) if has_to else with_range(v.worst)
    return [limit.text, bound, f"**{v.word}**{count}, {rounds}", f"{value}: {where}"]


def limits_table(data, figure):
    if not figure.limits:
        return ""
    return table(["expected", "", "found", "worst"],
                 [limit_row(data, figure, limit) for limit in figure.limits]) + (
        "".join(failing_text(data, figure, limit) for limit in figure.limits)) + "\n"


def failing_text(data, figure, limit):
    """Where one of several pairs does not keep its limit, which."""
    found = data.judge(figure, limit).failing if len(limit.pairs) > 1 else ()
    return "".join(f"\n- {limit.text}: not " + pair_text(pair) + f", {ratio_text(spread)}"
                   for pair, spread in found) + "\n" * bool(found)


def pair_text(pair):
    return " / ".join(point_text(point) for point in pair if point)


def values_table(data, figure):
    """Every cell of the plot."""
    metrics = (figure.metric, *figure.also)
    rows = []
    for series, panel, x, cell in figure.grid():
        for variant, name in (("bare", "bare"), ("auto", "shim")):
            found = [data.spread(cell, variant, metric) for metric in metrics]
            if any(found):
                rows.append([series.name, *([str(panel)] if figure.panel else []), f"{x:g}", name,
                             *map(with_range, found),
                             number(middle(data, cell, variant, "idle_pct"))])
    head = ["series", *([figure.panel.label] if figure.panel else []), figure.x.label, "",
            *(WORDS[metric] for metric in metrics), "idle, %"]
    return table(head, rows)


def middle(data, cell, variant, metric):
    spread = data.spread(cell, variant, metric)
    return spread.middle if spread else None


def section_of(data, figure, has_plot):
    plot = f"![{figure.title}](results/fig-{figure.id}.svg)\n\n" if has_plot else ""
    return (f"### {figure.id}: {figure.title}\n\nPaper {figure.id[0]}, {figure.source}: "
            f"{figure.setting}.\n\n{rows_table(data, figure)}\n{limits_table(data, figure)}"
            f"{figure.differs}\n\n{plot}<details><summary>All cells ([raw data]"
            f"(results/fig-{figure.id}.csv))</summary>\n\n{values_table(data, figure)}\n</details>\n")


def summary(data, measured):
    rows = [[f"[{figure.id}](#{anchor(figure)})", *limit_row(data, figure, limit)]
            for figure in measured for limit in figure.limits]
    return table(["figure", "expected", "", "found", "worst"], rows)


def anchor(figure):
    return "".join(c for c in f"{figure.id}: {figure.title}".lower().replace(" ", "-")
                   if c.isalnum() or c == "-")


def caveats(data, measured, is_quick):
    if is_quick:
        yield "**A quick run: one round, not a result.**\n"
    missing = [figure.id for figure in figs.ALL if figure not in measured]
    if missing:
        yield f"**INCOMPLETE: not measured yet: {', '.join(missing)}.**\n"
    few = sum(len(data.runs(cell, variant)) < figure.rounds_of(cell, is_quick)
              for figure in measured for cell in figure.cells(is_quick)
              for variant in cell.variants)
    if few:
        yield f"**{few} runs' worth of cells have fewer rounds than they should.**\n"
    if "uncommitted" in data.facts.get("commit", ""):
        yield "**Measured with uncommitted changes in the tree.**\n"
    bad = [row for row in data.rows.values() if row["errors"]]
    if bad:
        yield f"**{len(bad)} runs failed or saw errors:**\n"
        yield "".join(f"- {r['cell']} {r['variant']} round {r['round']}: {r['errors']} errors"
                      f"{', ' + r['note'] if r['note'] else ''}\n" for r in bad[:20])


def is_measured(data, figure, is_quick):
    """Tried at least once in every cell of the plot; others' cells alone make no figure."""
    tried = {row["cell"] for row in data.rows.values() if row["round"]}
    return all(cell.id in tried for *_, cell in figure.grid(is_quick))


def render(data, is_quick, has_plot):
    measured = [figure for figure in figs.ALL if is_measured(data, figure, is_quick)]
    machine = "".join(f"- {name}: {value}\n" for name, value in data.facts.items()
                      if name not in ("seconds", "warmup", "run"))
    capacity = paperdata.capacity(data.rows)
    if capacity:
        machine += (f"- capacity ({CALIBRATION.id}): {capacity:.0f} requests/s, "
                    f"{capacity / sessions.REQUESTS:.0f} sessions/s\n")
    return "\n".join([
        "## The papers' figures\n", "Written by `tests/bench/papers.py` (`make bench FIG=all`).\n",
        *caveats(data, measured, is_quick), machine, READING, "### Expected and found\n",
        summary(data, measured),
        *(section_of(data, figure, figure.id in has_plot) for figure in measured)])


def write_csv(data, figure, path):
    """The figure's lines of the raw data, with the facts about the machine."""
    cells = {cell.id for cell in figure.cells()}
    with open(path, "w") as f:
        f.writelines(f"# {name}: {value}\n" for name, value in data.facts.items())
        f.write(store.line([*paperdata.COLUMNS]))
        f.writelines(store.line([store.to_text(row[name]) for name in paperdata.COLUMNS])
                     for row in data.rows.values() if row["cell"] in cells)


def write(data, output, is_quick):
    results = os.path.join(os.path.dirname(os.path.abspath(output)), "results")
    os.makedirs(results, exist_ok=True)
    has_plot = set()
    for figure in figs.ALL:
        if is_measured(data, figure, is_quick):
            base = os.path.join(results, f"fig-{figure.id}")
            write_csv(data, figure, base + ".csv")
            if plots.draw(data, figure, base + ".svg"):
                has_plot.add(figure.id)
    record.store(SECTION, render(data, is_quick, has_plot), output)
