# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 4: Tomcat 7 (threads) against Tomcat 8 (reactor and workers)."""
from figs.model import Axis, Figure, Row, at, series


def row(text, paper, size, conns):
    fields = dict(size=size, conns=conns)
    return Row(text, paper, at("threads", **fields), at("dispatch", **fields))


FIGURE = Figure(
    id="1-fig4", title="Threads against reactor and workers", source="Fig. 4, section 3.1",
    setting="TomcatSync and TomcatAsync, one core, concurrency 1 to 3200; above a crossover "
            "(64 at 10 KB, 1600 at 100 KB) the asynchronous one is faster",
    series=(series("threads"), series("dispatch")),
    x=Axis("conns", (16, 100, 800), "concurrency", quick=(100,), is_log=True),
    panel=Axis("size", (100, 10_000, 100_000), "response, bytes", quick=(100, 100_000)),
    common=dict(sndbuf=16384),
    rows=(
        row("threads / dispatch, 0.1 KB, concurrency 16", "–", 100, 16),
        row("threads / dispatch, 0.1 KB, concurrency 800", "< 1", 100, 800),
        row("threads / dispatch, 10 KB, concurrency 16", "> 1", 10_000, 16),
        row("threads / dispatch, 10 KB, concurrency 100", "< 1 (crossover at 64)", 10_000, 100),
        row("threads / dispatch, 100 KB, concurrency 100", "> 1", 100_000, 100),
        row("threads / dispatch, 100 KB, concurrency 800", "> 1 (crossover at 1600)", 100_000, 800),
    ),
    differs="""\
The demo server's two architectures stand for the two Tomcats. Where the asynchronous one overtakes
depends on what a thread costs: the kernel of today finds the next thread to run at the same price
among 800 as among 16, so there need not be a crossover at all.""")
