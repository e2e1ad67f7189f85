# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 6: four architectures."""
from figs.model import Axis, Figure, Limit, Row, at, series

SIZES, CONNS = (100, 10_000, 100_000), (16, 100, 800)


def row(text, paper, name, to, size, conns, metric=""):
    fields = dict(size=size, conns=conns)
    return Row(text, paper, at(name, **fields), at(to, **fields), metric=metric)


FIGURE = Figure(
    id="1-fig6", title="Four architectures, three sizes of responses",
    source="Fig. 6, section 3.1 and 4.1", setting="one core, 16 KB send buffer, zero think time",
    series=(series("single"), series("threads"), series("dispatch-fix"), series("dispatch")),
    x=Axis("conns", CONNS, "concurrency", quick=(100,), is_log=True),
    panel=Axis("size", SIZES, "response, bytes", quick=(100, 100_000)),
    common=dict(sndbuf=16384), also=("switches",),
    rows=(
        row("dispatch-fix / dispatch, 0.1 KB, concurrency 16 (6a)", "1.22", "dispatch-fix",
            "dispatch", 100, 16),
        row("the same, switches (6d)", "0.66", "dispatch-fix", "dispatch", 100, 16, "switches"),
        row("single / dispatch, 0.1 KB, concurrency 100 (6a)", "1.91", "single", "dispatch",
            100, 100),
        row("threads / dispatch, 0.1 KB, concurrency 100 (6a)", "1.57", "threads", "dispatch",
            100, 100),
        row("single / threads, 0.1 KB, concurrency 16 (6a; paper: 8)", "1.20", "single",
            "threads", 100, 16),
        row("single / threads, 100 KB, concurrency 100 (6c)", "0.88 (Table 5)", "single",
            "threads", 100_000, 100),
        row("single / threads, 100 KB, concurrency 800 (6c)", "> 1", "single", "threads",
            100_000, 800),
    ),
    limits=(
        Limit("single + shim: at least as fast as threads, every size and concurrency",
              tuple((at("single", size=size, conns=conns), at("threads", size=size, conns=conns))
                    for size in SIZES for conns in CONNS), low=0.98),
    ),
    differs="""\
Two cores for server and client, against one core and a client of its own: what has several threads
may use both. With no round trip between them the client reads while the server writes, so that
the spin of Fig. 6c is short here; Fig. 11 has the round trip that makes it long.""")
