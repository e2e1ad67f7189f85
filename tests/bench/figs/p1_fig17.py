# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 17: 2 % heavy requests, one core and more."""
from figs.model import Axis, Figure, Limit, Row, at, series

CORES, RTTS = (1, 2), (0, 5)


def row(text, paper, name, to, cores, rtt):
    fields = dict(cores=cores, rtt_ms=rtt)
    return Row(text, paper, at(name, **fields), at(to, **fields))


def limit(rival):
    return Limit(f"single + shim: at least as fast as {rival}, each number of cores and round trip",
                 tuple((at("single", cores=cores, rtt_ms=rtt), at(rival, cores=cores, rtt_ms=rtt))
                       for cores in CORES for rtt in RTTS), low=0.98)


FIGURE = Figure(
    id="1-fig17", title="2 % heavy requests, by cores", source="Fig. 17, section 5.3",
    setting="1 to 4 cores, N copies, 2 % of 100 KB, else 0.1 KB, 16 KB send buffer, concurrency 100",
    series=(series("single"), series("netty"), series("hybrid")),
    x=Axis("cores", CORES, "cores and copies"),
    panel=Axis("rtt_ms", RTTS, "round trip, ms"),
    common=dict(size=100_000, heavy=2, sndbuf=16384), rounds=5, plot="bars",
    rows=(
        row("hybrid / single, 5 ms, two cores (17b; paper: four)", "about 10", "hybrid", "single",
            2, 5),
        row("hybrid / netty, 5 ms, two cores (17b; paper: four)", "1.35", "hybrid", "netty", 2, 5),
        row("hybrid / single, 0 ms, two cores (17a)", "> 1", "hybrid", "single", 2, 0),
        row("hybrid / netty, 0 ms, two cores (17a)", "> 1", "hybrid", "netty", 2, 0),
        row("hybrid / single, 5 ms, one core (17b)", "> 1", "hybrid", "single", 1, 5),
        row("hybrid / netty, 5 ms, one core (17b)", "> 1", "hybrid", "netty", 1, 5),
    ),
    limits=(limit("hybrid"), limit("netty")),
    differs="""\
One core: server on CPU 0, client on CPU 1. Two: a pinned copy on each, the client on both as well.
With 5 ms and 100 connections in a closed loop, netty and hybrid are held by the round trip, not by
their CPU: there is nothing left in which hybrid could be the faster.""")
