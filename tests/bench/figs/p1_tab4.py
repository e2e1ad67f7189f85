# SPDX-License-Identifier: MIT
"""Paper 1, Table 4: what hand-overs cost."""
from figs.model import Axis, Figure, Limit, Row, at, series

NAMES = ("single", "threads", "dispatch-fix", "dispatch")


def row(text, paper, name, to=None, metric="", **fields):
    return Row(text, paper, at(name, conns=100, **fields), to and at(to, conns=100, **fields),
               metric=metric)


FIGURE = Figure(
    id="1-tab4", title="Throughput and locks, 0.1 KB", source="Table 4, section 3.1",
    setting="one core, 0.1 KB, concurrency 100; perf with hardware counters",
    series=tuple(map(series, NAMES)),
    x=Axis("conns", (100,), "concurrency"),
    common=dict(size=100, sndbuf=16384), plot="bars", also=("switches",),
    rows=(
        row("threads / single", "0.83 (35 K / 42 K)", "threads", "single"),
        row("dispatch-fix / single", "0.64 (27 K / 42 K)", "dispatch-fix", "single"),
        row("dispatch / single", "0.52 (22 K / 42 K)", "dispatch", "single"),
        *(row(f"{name}: CPU time in futex, %", paper, name, metric="futex_pct", tool="perf")
          for name, paper in zip(NAMES, ("0.49", "7.62", "11.05", "13.86"))),
        *(row(f"{name}: futex calls per response", "–", name, metric="futex_calls", tool="strace")
          for name in NAMES),
        row("dispatch: futex, % of the time in system calls", "–", "dispatch",
            metric="futex_time_pct", tool="strace"),
    ),
    limits=(
        Limit("single + shim: as fast as single", ((at("single", conns=100),
                                                    at("single", conns=100)),), low=0.98),
    ),
    differs="""\
No cache misses and instructions per cycle: virtual machines seldom have hardware counters. The
share of futex is by perf's software clock, kernel stacks included, in a run of its own; the calls
are counted by strace in another, which slows the server several times, so that its queues are
empty more often than in the timed runs. The paper's servers are Java's, whose requests cost more
outside the locks; here a request is a few microseconds, and the same lock is a larger part of it.
Server and client share two cores here: what hands over can use both.""")
