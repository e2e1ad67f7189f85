# SPDX-License-Identifier: MIT
"""The section "wakeups" of docs/RESULTS.md, from the raw data."""
import os
import shutil

import figures
import record
import report
import scenes
import verdicts

NAME = "wakeups"

READING = f"""\
Every variant of a cell runs once per round, each time with a fresh server, in an order rotated from
round to round; before, its answers are compared byte for byte. **Figures are ratios: medians of the
rounds' ratios, with the smallest and the largest**; times are in the raw data only. *pass*: the
median keeps the limit; *close*: it does not, but some round does; *LOSES*: no round does;
*few rounds*: fewer than {figures.ENOUGH_ROUNDS}, nothing said. *Unchanged within noise*: the ratio
is within {figures.RATE_LIMIT} for requests per second or {figures.P99_LIMIT} for p99, or the median
within the runs of the host alone.

`bare`: the host alone. `observe`: the shim that only counts. `auto`: the shim with its defaults,
which is what is judged. `exclusive`, `mask`, `stretch`, `gather`: UNSPIN_WAKE forced to that word,
judged beside it. `wide`: stretch with UNSPIN_STRETCH_MAX_US=20000. `proper`: the same host without
its fault and without the shim.

1 has {scenes.HERD_CONNS} clients at once, *single* one. 4 has {scenes.FANOUT_CONNS}, and each
request asks all four shards, over {scenes.POOL} connections to each. 2 and 3 are under an open load
of {scenes.OPEN_RATE} requests a second, each of which costs the host a checksum of 64 KB; *wasted
CPU* is what a host uses beyond `proper` in the same round. Where the host alone polls without
pause, its processor never sleeps and a request finds it awake: the p99 is compared with that, and
beside it with `proper`.
"""

LIMITS = f"""\
- Loopback: clients, shards and server share the machine's CPUs. What the shim spares the server,
  the client gets.
- Waits and events per wait are of the server's whole life, counted by the host itself in 2, 3 and 4
  (also alone), by the shim in the others: there `observe` stands for `bare`.
- Context switches are of the server's threads in the window, those of the client and of the shards
  are not in them.
- The p99 of an open load is that of some 500 requests a run: the fifth largest.
- Work handed over by a flag is posted every {scenes.FLAG_EVERY_MS} ms to a host that has nothing
  else to do; with requests in between, it is found earlier.
- The load is closed in 1, 4 and 5: a slow server is asked less.
"""


def median(rows, column):
    found = figures.spread([row[column] for row in rows.values()])
    return found.middle if found else None


class Data:
    """Rows of the file by cell and variant, in the order of scenes.py."""

    def __init__(self, facts, rows):
        self.facts, self.rows = facts, list(rows.values())
        self.by_cell = {}
        for cell in scenes.everything():
            by = {v.name: self.timed(cell.id, v.name) for v in scenes.variants_of(cell)}
            if any(by.values()):
                self.by_cell[cell] = {name: runs for name, runs in by.items() if runs}

    def timed(self, cell, variant):
        return {row["round"]: row for row in self.rows
                if row["cell"] == cell and row["variant"] == variant and row["round"]
                and row["cpu_cores"] is not None}


def share_text(spread):
    if spread is None:
        return "–"
    return f"{spread.middle:.1%} ({spread.low:.1%}…{spread.high:.1%})"


def figure_text(want, figure):
    return (share_text if want.what == "waste_gone" else report.ratio_text)(figure)


def expectations(data):
    rows = []
    for cell in scenes.everything():
        by = data.by_cell.get(cell, {})
        for want in cell.wants:
            row = [cell.id, verdicts.in_words(want)]
            for name in ("auto", cell.policy):
                figure, word = verdicts.judge(want, by, name) if name in by else (None, "")
                row += [word or "not measured" if name else "",
                        figure_text(want, figure) if name else ""]
            rows.append(row)
    return report.table(["cell", "expected", "auto", "measured", "the policy forced", "measured"],
                        rows)


def counts_text(column):
    return lambda cell, by, name: report.number(median(by[name], column))


def ratio_of(column, to="bare"):
    def text(cell, by, name):
        return report.ratio_text(figures.ratios(by[name], by.get(to, {}), column)
                                 ) if name != to else "1"
    return text


def unfairness(cell, by, name):
    """The busiest worker's share over the share of each if all had the same."""
    found = figures.spread([row["busiest"] * int(cell.args[0]) for row in by[name].values()])
    return report.ratio_text(found)


def to_bound(column):
    def text(cell, by, name):
        found = figures.spread([row[column] for row in by[name].values()])
        return "–" if found is None else "×%.3f (%.3f…%.3f)" % tuple(
            value / scenes.STRETCH_MAX_US for value in (found.middle, found.low, found.high))
    return text


RATE = [("1/s / bare", ratio_of("rps"))]
LATENCY = [("p50 / bare", ratio_of("p50_ms")), ("p99 / bare", ratio_of("p99_ms"))]
COSTS = [("CPU per request / bare", ratio_of("cpu_ms")),
         ("switches per request", counts_text("switches")),
         ("waits per request", counts_text("waits"))]
WASTE = [("wasted CPU gone", lambda cell, by, name: share_text(verdicts.waste_gone(by, name))
          if name not in ("bare", "proper") else ""),
         ("p99 / proper", ratio_of("p99_ms", "proper"))]
SIDES = [("events per wait, front", counts_text("front_events")),
         ("back", counts_text("back_events")),
         ("front, by the shim", counts_text("shim_front_events")),
         ("back, by the shim", counts_text("shim_back_events")),
         ("machine idle, %", counts_text("idle_pct"))]
COLUMNS = {
    "herd": RATE + LATENCY + COSTS + [("busiest worker / fair share", unfairness)],
    "out": LATENCY + COSTS + WASTE,
    "poll": LATENCY + COSTS + WASTE,
    "flag": [("CPU / bare", ratio_of("cpu_cores")),
             *((f"{name} late / stretch_max_us", to_bound(f"late_{name}_us"))
               for name in ("p50", "p99", "max"))],
    "fanout": RATE + LATENCY + COSTS + SIDES,
    "control": RATE + LATENCY + COSTS,
}


def group_table(data, group):
    columns, rows = COLUMNS[group], []
    for cell, by in data.by_cell.items():
        if cell.group == group:
            rows += [[cell.id, name, str(len(by[name])),
                      *(text(cell, by, name) for _, text in columns)] for name in by]
    return report.table(["cell", "variant", "runs", *(title for title, _ in columns)],
                        rows) if rows else "Not measured.\n"


def lateness(cell, by):
    for name in by if cell.is_idle else ():
        p50, p99 = (to_bound(f"late_{each}_us")(cell, by, name) for each in ("p50", "p99"))
        yield f"{name}: work handed over by a flag waits {p50} of stretch_max_us, p99 {p99}"


def lost(data, reasons):
    lines = []
    for cell, by in data.by_cell.items():
        texts = list(lateness(cell, by))
        for name in filter(by.__contains__, ("auto", cell.policy)):
            for want in cell.wants:
                figure, word = verdicts.judge(want, by, name)
                if word in (figures.CLOSE, figures.LOSES):
                    texts.append(f"{name}: not {verdicts.in_words(want)}: "
                                 f"{figure_text(want, figure)} *{word}*")
        texts += [f"{name}: {text} / bare {report.ratio_text(ratio)} *{word}*"
                  for name, text, ratio, word in verdicts.losses(cell, by)]
        if texts:
            reason = reasons.get(cell.id, "" if cell.is_idle else "Reason not known yet.")
            lines.append(f"- {cell.id}: {'; '.join(texts)}. {reason}\n")
    if is_short(data):
        lines.append("- Of cells with fewer rounds nothing is said.\n")
    return "".join(lines) or "None.\n"


def is_short(data):
    return any(len(runs) < figures.ENOUGH_ROUNDS for by in data.by_cell.values()
               for runs in by.values())


def caveats(data, rounds):
    missing = [cell.id for cell in scenes.everything() if cell not in data.by_cell]
    if missing:
        yield f"**INCOMPLETE: not measured: {', '.join(missing)}.**\n"
    few = [f"{cell.id} {name}" for cell, by in data.by_cell.items() for name in by
           if len(by[name]) < rounds]
    if few:
        yield f"**{len(few)} combinations have fewer than {rounds} rounds: not a result yet.**\n"
    if "uncommitted" in data.facts.get("commit", ""):
        yield "**Measured with uncommitted changes in the tree.**\n"
    bad = [row for row in data.rows if row["errors"]]
    if bad:
        yield f"**{len(bad)} runs failed or saw errors:**\n"
        yield "".join(f"- {r['cell']} {r['variant']} round {r['round']}: {r['errors']} errors"
                      f"{', ' + r['note'] if r['note'] else ''}\n" for r in bad[:20])
    kept = [row for row in data.rows if not row["errors"] and "kept from" in (row["note"] or "")]
    if kept:
        yield f"- In {len(kept)} runs the client was kept from the CPU (notes in the raw data).\n"


def left_out(skipped):
    lines = [f"- {reason}: {', '.join(' '.join(key) for key in skipped if skipped[key] == reason)}"
             ".\n" for reason in dict.fromkeys(skipped.values())]
    return "".join(lines) or "Nothing.\n"


def render(data, csv_name, skipped, reasons):
    return "\n".join([
        "## Wake-ups\n",
        f"Written by `tests/bench/wakeups/wakeups.py --report` from "
        f"[results/{csv_name}](results/{csv_name}).\n",
        *caveats(data, figures.ENOUGH_ROUNDS),
        "".join(f"- {name}: {value}\n" for name, value in data.facts.items()), READING,
        "### Expected and found, wake-ups\n", expectations(data),
        "### What is lost\n",
        "Expectations not kept, what is worse than the host alone outside the noise, and how late "
        "work handed over by a flag is found.\n", lost(data, reasons),
        *(f"### {title}\n\n{group_table(data, group)}" for group, title in scenes.GROUPS.items()),
        "### What was left out of the wake-ups\n", left_out(skipped),
        "### What the wake-up cells do not show\n", LIMITS.rstrip("\n")])


def write(csv_path, facts, rows, skipped, output):
    """Renders into output, stores the raw data beside it; returns where."""
    results = os.path.join(os.path.dirname(os.path.abspath(output)), "results")
    commit = facts.get("commit", "")
    name = (f"{NAME}-{facts.get('date', '')[:10]}-{commit.split(' ')[0]}"
            f"{'-dirty' if 'uncommitted' in commit else ''}.csv")
    reasons = report.read_reasons(os.path.join(results, "wakeups-reasons.txt"))
    os.makedirs(results, exist_ok=True)
    stored = os.path.join(results, name)
    shutil.copyfile(csv_path, stored)
    record.store(NAME, render(Data(facts, rows), name, skipped, reasons), output)
    return stored
