# SPDX-License-Identifier: MIT
"""
The raw data: one CSV file per library, commit and length of run, one line per run. COLUMNS are the
matrix's; another benchmark brings its own.

A line is on the disk before the next run begins. Opening the file again continues it: what it
holds is not repeated. A line cut off by a crash is ignored and its run repeated; of two lines for
one run the later counts. Facts about the machine stand before the table as "# key: value".
"""
import csv
import fcntl
import io
import os

COLUMNS = {
    "cell": str, "variant": str,
    "round": int,        # 0: the byte check, not timed
    "when": str,
    "seconds": float,    # of the window, as asked for; a slow cell takes longer ones
    "warmup": float,     # seconds of load before it
    "requests": int,
    "rps": float,
    "read_mb": float,    # by the client, answers that were not finished included
    "late_mb_s": float,  # read by the client in the last third of the run
    "waiting": int,      # requests not answered when it ended
    "p50_ms": float, "p99_ms": float,
    "cpu_ms": float,     # of the server, per response
    "writes": float,     # system calls per response, see servers.Usage
    "switches": float,   # per response
    "errors": int,
    "idle_pct": float, "steal_pct": float,  # of the whole machine's CPU time
    "note": str,
}
FAILED = "failed:"  # a note that begins so: nothing was measured


class Busy(Exception):
    """Another runner is writing this file."""


class Foreign(Exception):
    """The file has other columns than this runner writes."""


def key(row):
    return row["cell"], row["variant"], row["round"]


def to_text(value):
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())


def line(values):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def head_of(columns):
    return [*columns, "end"]


def parse_row(head, words, columns):
    """A row, or None for a line that is not whole. Columns the file does not have are None."""
    if len(words) != len(head):  # a full stop after the last column ends a whole line
        return None
    texts = dict(zip(head, words))
    try:
        return {name: None if name not in texts or (not texts[name] and kind is not str)
                else kind(texts[name]) for name, kind in columns.items()}
    except ValueError:
        return None


def parse(text, columns=COLUMNS):
    """(facts, rows): rows by key, in order of first appearance."""
    facts, rows, head = {}, {}, None
    for each in text.splitlines():
        if each.startswith("# "):
            name, _, value = each[2:].partition(": ")
            facts[name] = value
            continue
        # Line by line: a quote left open by a crash must not swallow the lines after it.
        words = next(csv.reader([each]), [])
        if head is None:
            head = words
            continue
        row = parse_row(head, words, columns)
        if row:
            rows[key(row)] = row
    return facts, rows


def load(path, columns=COLUMNS):
    with open(path) as f:
        return parse(f.read(), columns)


class Store:
    def __init__(self, path, facts, columns=COLUMNS):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path, self.columns = path, columns
        self.file = open(path, "a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise Busy(path) from None
        self.file.seek(0)
        text = self.file.read()
        if not text:
            self.write("".join(f"# {name}: {value}\n" for name, value in facts.items()) +
                       line(head_of(columns)))
        elif line(head_of(columns)) not in text:
            self.file.close()
            raise Foreign(path)
        elif not text.endswith("\n"):
            self.write("\n")
        self.facts, self.rows = parse(text, columns) if text else (dict(facts), {})

    def write(self, text):
        self.file.write(text)
        self.file.flush()
        os.fsync(self.file.fileno())

    def add(self, row):
        self.write(line([to_text(row.get(name)) for name in self.columns] + ["."]))
        self.rows[key(row)] = {name: row.get(name) for name in self.columns}

    def is_done(self, cell, variant, round_):
        row = self.rows.get((cell, variant, round_))
        return bool(row) and not (row["note"] or "").startswith(FAILED)

    def close(self):
        self.file.close()
