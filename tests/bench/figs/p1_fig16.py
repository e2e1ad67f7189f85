# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 16: mixes of heavy and light requests."""
from figs.model import Axis, Figure, Limit, Row, at, series

MIXES, RTTS = (0, 2, 20, 50, 100), (0, 5)


def limit(rival):
    return Limit(f"single + shim: at least as fast as {rival}, every mix and round trip",
                 tuple((at("single", heavy=heavy, rtt_ms=rtt), at(rival, heavy=heavy, rtt_ms=rtt))
                       for heavy in MIXES for rtt in RTTS), low=0.98)


FIGURE = Figure(
    id="1-fig16", title="Mixes of heavy and light requests", source="Fig. 16, section 5.3",
    setting="one core, 100 KB and 0.1 KB, 16 KB send buffer, concurrency 100; hybrid is 1",
    series=(series("single"), series("netty"), series("hybrid")),
    x=Axis("heavy", MIXES, "heavy requests, %", quick=(2, 100)),
    panel=Axis("rtt_ms", RTTS, "round trip, ms"),
    common=dict(size=100_000, sndbuf=16384), rounds=5,
    rows=(
        *(Row(f"single / hybrid, {heavy} % heavy, {rtt} ms", "≤ 1",
              at("single", heavy=heavy, rtt_ms=rtt), at("hybrid", heavy=heavy, rtt_ms=rtt))
          for rtt in RTTS for heavy in (0, 20, 100)),
        *(Row(f"netty / hybrid, {heavy} % heavy, {rtt} ms", "≤ 1",
              at("netty", heavy=heavy, rtt_ms=rtt), at("hybrid", heavy=heavy, rtt_ms=rtt))
          for rtt in RTTS for heavy in (0, 20, 100)),
    ),
    limits=(limit("hybrid"), limit("netty")),
    differs="""\
Mixes are compared by bytes read, as in the matrix: a heavy answer that is under way when a run ends
is in no count of requests. Without a round trip the three differ little here, for the reasons given
at Fig. 6 and 14. There the full processor is the client's: what the server saves (a spinning one is
never idle) it spends waiting, and a rate can only fall by what the client has to do besides. A run
begins with fresh connections, whose receive windows still have to open (docs/DESIGN.md, growth);
raised at once, the buffers kept them shut, and single was 0.84 and netty 0.75 of bare with heavy
requests only. What is left there: answers lie in the buffers until the client comes to them, and its
core pays more for each (34 us against 28 in six rounds), with the same number of segments.""")
