# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 14: what Netty's write limit costs and gains."""
from figs.model import Axis, Figure, Limit, Row, at, series

SIZES, CONNS = (100, 10_000, 100_000), (16, 100, 800)


def row(text, paper, to, size):
    fields = dict(size=size, conns=100)
    return Row(text, paper, at("netty", **fields), at(to, **fields))


FIGURE = Figure(
    id="1-fig14", title="Netty's write limit", source="Fig. 14, section 5.1",
    setting="one core, 16 KB send buffer",
    series=(series("single"), series("netty"), series("threads")),
    x=Axis("conns", CONNS, "concurrency", quick=(100,), is_log=True),
    panel=Axis("size", SIZES, "response, bytes", quick=(100, 100_000)),
    common=dict(sndbuf=16384),
    rows=(
        row("netty / single, 100 KB, concurrency 100 (14c)", "1.27", "single", 100_000),
        row("netty / threads, 100 KB, concurrency 100 (14c)", "1.10", "threads", 100_000),
        row("netty / single, 0.1 KB, concurrency 100 (14a)", "0.83", "single", 100),
        row("netty / single, 10 KB, concurrency 100 (14b)", "< 1", "single", 10_000),
    ),
    limits=(
        Limit("single + shim: at least as fast as netty, every size and concurrency",
              tuple((at("single", size=size, conns=conns), at("netty", size=size, conns=conns))
                    for size in SIZES for conns in CONNS), low=0.98),
    ),
    differs="""\
In C, Netty's bookkeeping is a counter and a comparison: the 17 % it costs small responses in the
paper is Java's pipeline of handlers, which the demo server does not have.""")
