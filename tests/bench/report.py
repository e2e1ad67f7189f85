# SPDX-License-Identifier: MIT
"""The section of docs/RESULTS.md between its markers, from the raw data."""
import os
import re
import shutil

import cells
import figures
import variants

BEGIN, END = "<!-- begin matrix -->", "<!-- end matrix -->"
FORCED = ("grow", "spin", "block")  # columns of the summary; others are in the details
ENOUGH_RESPONSES = 100  # below, a 99th percentile is the largest or second largest of all

READING = f"""\
Every variant of a cell runs once per round, each time with a fresh server, in an order rotated
from round to round; before, its answers are compared byte for byte. `bare`, `auto` and the best
variant tuned by hand have {figures.ENOUGH_ROUNDS} rounds; forced strategies, which are not judged,
{variants.FORCED_ROUNDS}; variants tuned by hand that reach less than {variants.CAN_WIN} of the best
of them in round 1, that one. Rates are requests per second of a closed loop; where all requests are
heavy, by bytes, so that answers under way at either end count by their share. **Ratios are medians
of the rounds' ratios, with the smallest and the largest.**
With both heavy and light requests they are of the bytes the client read instead, since heavy
answers that a slow host did not finish are in no rate. *pass*: the median keeps the limit; *close*:
it does not, but some round does; *LOSES*: no round does; *few rounds*: fewer than
{figures.ENOUGH_ROUNDS}, nothing said. A p99 is above the host's only if its ratio is above
{figures.P99_LIMIT} and its median above every run of the host alone (*close*: some of its runs are
not). A p99 in parentheses comes from fewer than {ENOUGH_RESPONSES} answers (then it is about the
largest of them), or from answers that are not the mix asked for (then it is not judged).

`bare`: the host alone. `auto`: the shim with its defaults. `sndbuf`, `threads`, `netty`: tuned by
hand, with a send buffer that holds the response, one blocking thread per connection, or Netty's
write limit (nginx and asyncio have only the first, redis none); *hand* is the fastest of them.
Other names: `UNSPIN_WRITE` forced to that word.
`pool8`, `pool64`: reactor and 8 or 64 workers that spin (`--arch dispatch-fix`). Cells read host -
response - round trip - server's send buffer - client's receive buffer - % of heavy requests (the
others are for {cells.LIGHT} bytes) - connection - concurrency - length of its window where a
cell sets one.
"""

LIMITS = """\
- Both hosts and the delay line share the machine's CPUs. A cell that saturates them compares CPU
  costs, also those of the client; the column *idle* tells.
- Each run's connections are new. With keep-alive and default buffers the host alone gets faster
  over the first seconds as the kernel tunes each buffer up; only some of that is in the warm-up.
  *late* is the ratio of the bytes read in the last third of the runs, where less of it is left; the
  section *growth* has longer runs.
- Closed loop: a slow server is asked less, and percentiles are not corrected for that. A request
  that is unanswered at the end and has waited for longer than the p99 of those answered is counted
  with its age so far: the p99 of a host that takes longer than the run is too low, never too high.
- Latency is from the request's first byte sent: waiting to be accepted counts, the handshake does
  not. With both heavy and light requests the percentiles are over both.
- Write calls are the kernel's `syscw`: write, writev, sendfile, also those that fail with EAGAIN;
  not send and sendmsg, so asyncio shows none.
- Context switches include those of the server's start and end.
- Where `net.core.wmem_max` is below the response, the `sndbuf` variant gets no more than that.
"""


def number(value):
    """Three digits, no exponent."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 \
        else f"{value:.3f}"


def with_range(spread):
    if spread is None:
        return "–"
    return f"{number(spread.middle)} ({number(spread.low)}…{number(spread.high)})"


def ratio_text(spread):
    if spread is None:
        return "–"
    return f"×{spread.middle:.2f} ({spread.low:.2f}…{spread.high:.2f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


class Data:
    """Rows of the file, by cell and variant; cells in the order of cells.everything()."""

    def __init__(self, facts, rows, hand_names):
        self.facts, self.hand_names = facts, hand_names
        self.rows = list(rows.values())
        self.by_cell = {}
        names = list(dict.fromkeys(row["variant"] for row in self.rows))
        for group, members in cells.everything().items():
            for cell in members:
                mine = [row for row in self.rows if row["cell"] == cell.id]
                by_variant = {name: figures.timed(mine, cell.id, name) for name in names}
                if any(by_variant.values()):
                    self.by_cell[cell] = {k: v for k, v in by_variant.items() if v}

    def judged(self):
        return [(cell, by, figures.judge(cell, by, self.hand_names))
                for cell, by in self.by_cell.items()]

    def failures(self):
        return [row for row in self.rows if row["errors"]]


def middle(rows, name):
    found = figures.spread([row[name] for row in rows.values()])
    return found.middle if found else None


def p99_text(cell, rows):
    value, requests = middle(rows, "p99_ms"), middle(rows, "requests")
    is_weak = value is not None and (requests < ENOUGH_RESPONSES or
                                     not figures.is_whole_mix(cell, rows))
    return f"({number(value)})" if is_weak else number(value)


def pass_count(words):
    words = [word for word in words if word]
    counts = [f"{words.count(word)} {word}" for word in
              (figures.PASS, figures.CLOSE, figures.LOSES, figures.FEW) if word in words]
    return ", ".join(counts) or "not measured"


def worst(judged, ratio, pick=min):
    """The cell that is farthest from what is wished, and its ratio."""
    there = [(ratio(v).middle, cell.id) for cell, _, v in judged if ratio(v)]
    return "{0:.2f} in {1}".format(*pick(there)) if there else "–"


def expectations(judged):
    """What the issue expects, and what was found."""
    rows = [
        [f"every cell: at least {figures.RATE_LIMIT} of the host alone",
         pass_count([figures.at_least(v.rate, figures.RATE_LIMIT) for _, _, v in judged]),
         worst(judged, lambda v: v.rate)],
        [f"every cell: at least {figures.HAND_LIMIT} of the best tuned by hand",
         pass_count([v.hand_word for _, _, v in judged]), worst(judged, lambda v: v.hand)],
        ["every cell: p99 not above the host alone outside the noise",
         pass_count([v.p99_word for _, _, v in judged]), worst(judged, lambda v: v.p99, max)],
    ]
    for cell in [cell for group in cells.everything().values() for cell in group]:
        v = next((v for c, _, v in judged if c == cell), None)
        if cell.rate:
            rows.append([f"{cell.title}, {cell.id}: at least {cell.rate:g} times the host alone",
                         v.rate_word if v else "not measured", ratio_text(v.rate if v else None)])
        if cell.p99:
            rows.append([f"{cell.title}, {cell.id}: p99 at most {cell.p99:g} of the host alone",
                         v.p99_word if v else "not measured", ratio_text(v.p99 if v else None)])
    return table(["expected of the defaults", "found", "measured / worst"], rows)


def p99_with_range(cell, rows):
    found = figures.spread([row["p99_ms"] for row in rows.values()])
    text = p99_text(cell, rows)
    return f"{text} ({number(found.low)}…{number(found.high)})" if found else text


def summary(judged):
    """Every side of every cell: the sides as ratios to the host alone, p99 with its spread."""
    forced = [name for name in dict.fromkeys(n for _, by, _ in judged for n in by)
              if name in FORCED]
    rows = []
    for cell, by, v in judged:
        bare, auto = by.get("bare", {}), by.get("auto", {})

        def to_bare(name):
            found = figures.ratios(by.get(name, {}), bare, figures.throughput(cell))
            return f"×{number(found.middle)}" if found else "–"
        rows.append([cell.id, with_range(figures.spread([r["rps"] for r in bare.values()])),
                     ratio_text(v.rate), *map(to_bare, forced),
                     f"{v.best_hand} {to_bare(v.best_hand)}" if v.best_hand else "–",
                     ratio_text(v.hand), p99_with_range(cell, bare), p99_with_range(cell, auto),
                     v.word or "–"])
    return table(["cell", "bare, 1/s", "auto / bare", *(f"{name} / bare" for name in forced),
                  "best hand / bare", "auto / hand", "p99 bare, ms", "p99 auto, ms", ""], rows)


def detail(cell, by):
    bare, rows = by.get("bare", {}), []
    for name, runs in by.items():
        spreads = {column: figures.spread([r[column] for r in runs.values()])
                   for column in ("rps", "p50_ms", "p99_ms", "cpu_ms", "writes", "switches")}
        late = figures.ratios(runs, bare, "late_mb_s")
        rows.append([name, str(len(runs)), *map(with_range, spreads.values()),
                     ratio_text(figures.ratios(runs, bare, figures.throughput(cell))),
                     f"×{late.middle:.2f}" if late else "–", number(middle(runs, "idle_pct")),
                     str(sum(r["errors"] or 0 for r in runs.values()))])
    title = f"**{cell.id}**" + (f" {cell.title}" if cell.title else "")
    return title + "\n\n" + table(
        ["variant", "runs", "1/s", "p50, ms", "p99, ms", "CPU, ms", "write calls", "switches",
         "/ bare", "late", "idle, %", "errors"], rows)


def lost(v, words=(figures.LOSES,)):
    """[(what, ratio)] of the limits a cell does not keep."""
    found = (("rate / bare", v.rate, v.rate_word),
             (f"rate / {v.best_hand}", v.hand, v.hand_word), ("p99 / bare", v.p99, v.p99_word))
    return [(name, ratio) for name, ratio, word in found if word in words]


def losers(judged, reasons, word=figures.LOSES):
    lines = []
    for cell, _, v in judged:
        what = [f"{name} {ratio_text(ratio)}" for name, ratio in lost(v, (word,))]
        if what:
            lines.append(f"- {cell.id}: {'; '.join(what)}. "
                         f"{reasons.get(cell.id, 'Reason not known yet.')}\n")
    return "".join(lines) or "None.\n"


def idle_reasons(judged, reasons):
    """What reasons.txt says of cells that do not lose, or that there are none of."""
    known = {cell.id for group in cells.everything().values() for cell in group}
    verdicts = {cell.id: v for cell, _, v in judged}
    for name in reasons:
        if name not in known:
            yield f"{name} is no cell"
        elif name in verdicts and not lost(verdicts[name], (figures.LOSES, figures.CLOSE)):
            yield f"{name} has a reason but does not lose"


def losers_in_full(data, explain_dir, below=0.95):
    """For whoever has to mend it: ratios, every run, and what `unspin stat` said."""
    out = []
    for cell, by, v in data.judged():
        ratios = [x.middle for x in (v.rate, v.hand) if x]
        if not lost(v, (figures.LOSES, figures.CLOSE)) and min(ratios, default=1) >= below:
            continue
        out.append(f"== {cell.id} {cell.title}\nauto / bare {ratio_text(v.rate)} {v.rate_word}; "
                   f"auto / {v.best_hand or 'hand'} {ratio_text(v.hand)} {v.hand_word}; "
                   f"p99 / bare {ratio_text(v.p99)} {v.p99_word}\n")
        for name, runs in by.items():
            each = ["%d: %s/s p99 %s w %s cpu %s" % (
                n, *(number(row[c]) for c in ("rps", "p99_ms", "writes", "cpu_ms")))
                for n, row in runs.items()]
            out.append(f"  {name:<8}{' | '.join(each)}\n")
        path = os.path.join(explain_dir, cell.id + ".txt")
        if os.path.exists(path):
            with open(path) as f:
                out.append("".join(f"    {line}" for line in f))
    return "".join(out) or "nothing loses\n"


def wanted_rounds(cell, by, hand_names):
    """How many rounds each variant is due: figures.ENOUGH_ROUNDS of what is judged."""
    judged = {"bare", "auto", figures.best(by, hand_names, figures.throughput(cell))}
    for name in by:
        yield name, (figures.ENOUGH_ROUNDS if name in judged else 1 if name in hand_names
                     else variants.FORCED_ROUNDS)


def incomplete(data):
    """Which parts lack what; "" for none."""
    texts = []
    for part, group in cells.PARTS.items():
        members = cells.everything()[group]
        there = sum(cell in data.by_cell for cell in members)
        if there < len(members):
            texts.append(f"{part} {there} of {len(members)} cells")
    return ", ".join(texts)


def caveats(data):
    lacking = incomplete(data)
    if lacking:
        yield f"**INCOMPLETE: measured so far: {lacking}.**\n"
    due = [(len(by[name]), count) for cell, by in data.by_cell.items()
           for name, count in wanted_rounds(cell, by, data.hand_names)]
    few = sum(have < count for have, count in due)
    if few:
        yield (f"**{few} of {len(due)} combinations have fewer rounds than they should: "
               "not a result yet.**\n")
    if "uncommitted" in data.facts.get("commit", ""):
        yield "**Measured with uncommitted changes in the tree.**\n"
    bad = data.failures()
    if bad:
        yield f"**{len(bad)} runs failed or saw errors:**\n"
        yield "".join(f"- {r['cell']} {r['variant']} round {r['round']}: {r['errors']} errors"
                      f"{', ' + r['note'] if r['note'] else ''}\n" for r in bad[:20])


def left_out(data, skipped):
    product, there = len(cells.product()), len(cells.feasible())
    everything = sum(map(len, cells.everything().values()))
    text = (f"- {everything - len(data.by_cell)} of the {everything} cells chosen are not in this "
            "data.\n" if everything > len(data.by_cell) else "")
    text += (f"- Of the {product} combinations {product - there} are ruled out: {cells.RULE}. "
             f"Every pair of levels that any of the other {there} holds occurs in a cell chosen, "
             "with heavy requests in it.\n")
    missing = cells.infeasible_pairs()
    text += f"- Pairs of levels the rule leaves no cell of: {missing or 'none'}.\n"
    for reason in sorted(set(skipped.values())):
        keys = [k for k, why in skipped.items() if why == reason]
        text += (f"- Not measured, since {reason}: {len(keys)} combinations, such as "
                 f"{' '.join(keys[0])}.\n")
    return text


def render(data, csv_name, skipped, reasons):
    judged = data.judged()
    machine = "".join(f"- {name}: {value}\n" for name, value in data.facts.items()
                      if name not in ("seconds", "warmup"))
    details = "\n".join(detail(cell, by) for cell, by in data.by_cell.items())
    return "\n".join([
        "## Stalled writes: the matrix\n",
        f"Written by `tests/bench/matrix.py --report` from [results/{csv_name}](results/{csv_name})"
        ".\n", *caveats(data), machine, READING, "### Expected and found\n", expectations(judged),
        "### Where the defaults lose\n", losers(judged, reasons),
        "Not kept by the median, but by some round (*close*):\n",
        losers(judged, reasons, figures.CLOSE),
        *(f"**reasons.txt: {text}.**\n" for text in idle_reasons(judged, reasons)),
        "### All cells\n",
        summary(judged), "<details><summary>Every variant of every cell: medians, smallest and "
        "largest; CPU, write calls and switches per response</summary>\n", details, "</details>\n",
        "### What was left out\n", left_out(data, skipped),
        "### What this does not show\n", LIMITS])


def reasons_path(output):
    return os.path.join(os.path.dirname(os.path.abspath(output)), "results", "reasons.txt")


def read_reasons(path):
    """Lines "CELL: why it loses", written by whoever found out."""
    reasons = {}
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                name, colon, reason = line.partition(":")
                if colon and not line.startswith("#"):
                    reasons[name.strip()] = reason.strip()
    return reasons


def splice(document, section):
    """The document with its section replaced, or appended where it has none."""
    block = f"{BEGIN}\n{section}{END}"
    if BEGIN in document and END in document:
        return re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: block, document,
                      count=1, flags=re.S)
    return (document or "# Results\n") + f"\n{block}\n"


def write(csv_path, facts, rows, hand_names, skipped, output):
    """Renders into output and stores the raw data beside it. Returns the stored file's path."""
    data = Data(facts, rows, hand_names)
    results = os.path.join(os.path.dirname(os.path.abspath(output)), "results")
    name = (f"matrix-{facts.get('date', '')[:10]}-{facts.get('commit', '').split(' ')[0]}"
            f"{'-dirty' if 'uncommitted' in facts.get('commit', '') else ''}"
            f"-{facts.get('seconds', '')}s.csv")
    section = render(data, name, skipped, read_reasons(reasons_path(output)))
    document = ""
    if os.path.exists(output):
        with open(output) as f:
            document = f.read()
    os.makedirs(results, exist_ok=True)
    stored = os.path.join(results, name)
    if os.path.abspath(csv_path) != stored:
        shutil.copyfile(csv_path, stored)
    with open(output, "w") as f:
        f.write(splice(document, section))
    return stored
