# SPDX-License-Identifier: MIT
"""Paper 1, Table 6: the write-spin, counted."""
from figs.model import Axis, Figure, Limit, Row, at, series

FIGURE = Figure(
    id="1-tab6", title="Write calls per response", source="Table 6, section 4.1",
    setting="single, 16 KB send buffer, zero think time, one minute",
    series=(series("single"), series("threads")),
    x=Axis("size", (100, 10_000, 100_000), "response, bytes", quick=(100, 100_000), is_log=True),
    panel=Axis("rtt_ms", (0, 1, 5), "round trip, ms", quick=(0, 5)),
    common=dict(sndbuf=16384), metric="own_writes", rounds=2,
    rows=(
        Row("single, 0.1 KB", "1", at("single", size=100, rtt_ms=0)),
        Row("single, 10 KB", "1", at("single", size=10_000, rtt_ms=0)),
        Row("single, 100 KB, no round trip", "102", at("single", size=100_000, rtt_ms=0)),
        Row("single, 100 KB, 1 ms", "–", at("single", size=100_000, rtt_ms=1)),
        Row("single, 100 KB, 5 ms", "–", at("single", size=100_000, rtt_ms=5)),
        Row("threads, 100 KB, 5 ms", "1", at("threads", size=100_000, rtt_ms=5)),
    ),
    limits=(
        Limit("single + shim: at most two write() calls at 100 KB",
              tuple((at("single", size=100_000, rtt_ms=rtt), None) for rtt in (0, 1, 5)), high=2),
    ),
    differs="""\
Counted by the server: calls of write() on connections, those that fail with EAGAIN included. The
number of fruitless calls is the time a response waits for room divided by the time of a call. With
no round trip the client of the lab empties the socket while the server is still in write(); the
paper's client was a machine away and its server one of Java's. With any round trip there are many
more calls than the paper's 102, since a native call takes half a microsecond.""")
