# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 11: the collapse by a round trip."""
from figs.model import Axis, Figure, Limit, Row, at, series

FIGURE = Figure(
    id="1-fig11", title="Round trip and write-spin", source="Fig. 11, section 4.2",
    setting="one core, 100 KB, 16 KB send buffer, concurrency 100, delay by tc on the client",
    series=(series("threads"), series("single"), series("dispatch-fix")),
    x=Axis("rtt_ms", (0, 1, 5), "round trip, ms", quick=(0, 5)),
    common=dict(size=100_000, sndbuf=16384), also=("p50_ms",), rounds=5,
    rows=(
        Row("single: 5 ms / 0 ms (11a)", "0.05", at("single", rtt_ms=5), at("single", rtt_ms=0)),
        Row("single: latency, 5 ms / 0 ms (11b)", "20 (3.60 s / 0.18 s)", at("single", rtt_ms=5),
            at("single", rtt_ms=0), metric="p50_ms"),
        Row("dispatch-fix: 5 ms / 0 ms", "falls far", at("dispatch-fix", rtt_ms=5),
            at("dispatch-fix", rtt_ms=0)),
        Row("threads: 5 ms / 0 ms", "about 1", at("threads", rtt_ms=5), at("threads", rtt_ms=0)),
        Row("single / threads, 5 ms", "–", at("single", rtt_ms=5), at("threads", rtt_ms=5)),
    ),
    limits=tuple(Limit(f"{name} + shim: at least 0.9 of threads at 5 ms",
                       ((at(name, rtt_ms=5), at("threads", rtt_ms=5)),), low=0.9)
                 for name in ("single", "dispatch-fix")),
    differs="""\
The paper's servers take milliseconds of CPU per 100 KB (590 requests a second with threads), so
that 100 connections hide 5 ms; here a response takes tens of microseconds, and at 5 ms also threads
wait for the network: 100 connections with a 16 KB buffer cannot have more than 100 responses per
two or three round trips. Therefore what single has to reach is threads at the same round trip.""")
