# SPDX-License-Identifier: MIT
"""Paper 1, Table 3: how often a request changes hands."""
from figs.model import Axis, Figure, Limit, Row, at, series

NAMES = ("dispatch", "dispatch-fix", "threads", "single")

FIGURE = Figure(
    id="1-tab3", title="Context switches per request", source="Table 3, section 3.1",
    setting="counted by design, among user-space threads; interrupts and preemption left out",
    series=tuple(map(series, NAMES)),
    x=Axis("conns", (1, 100), "concurrency", is_log=True),
    common=dict(size=100, sndbuf=16384, cores=1), metric="voluntary",
    also=("switches", "handovers"),
    rows=(
        *(Row(f"{name}: hand-overs per request", paper, at(name, conns=100), metric="handovers")
          for name, paper in zip(NAMES, ("4", "2", "0", "0"))),
        *(Row(f"{name}: times its threads went to sleep, concurrency {conns}", paper,
              at(name, conns=conns))
          for conns in (1, 100) for name, paper in zip(NAMES, ("4", "2", "0", "0"))),
        *(Row(f"{name}: all switches, concurrency {conns}", "–", at(name, conns=conns),
              metric="switches") for conns in (1, 100) for name in NAMES),
    ),
    limits=(
        Limit("dispatch: about four hand-overs", ((at("dispatch", conns=100), None),),
              low=3.5, high=4.5, metric="handovers", of_variant="bare"),
        Limit("dispatch-fix: two", ((at("dispatch-fix", conns=100), None),),
              low=1.8, high=2.2, metric="handovers", of_variant="bare"),
        Limit("single: none", ((at("single", conns=100), None),), high=0.05, metric="handovers",
              of_variant="bare"),
        Limit("dispatch: asleep about four times a request, concurrency 1",
              ((at("dispatch", conns=1), None),), low=3.5, high=4.5, of_variant="bare"),
    ),
    differs="""\
A hand-over is a connection put into a queue for another thread, counted by the server itself: the
design's own number, which is what the paper's table holds. It becomes a switch of the kernel if the
thread it is for sleeps. At concurrency 1 all do, and each arrival of a request is one more sleep
(single has that one alone). At concurrency 100 a thread seldom finds its queue empty, so one switch
serves several hand-overs. Beyond the voluntary ones there are those where a woken thread is let in
before the one that woke it, which still holds the queue's lock: the scheduler's choice, not the
design's. One core, as in the paper: server on CPU 0, client on CPU 1.""")
