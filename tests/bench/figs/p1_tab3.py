# SPDX-License-Identifier: MIT
"""Paper 1, Table 3: how often a request changes hands."""
from figs.model import Axis, Figure, Limit, Row, at, series

FIGURE = Figure(
    id="1-tab3", title="Context switches per request", source="Table 3, section 3.1",
    setting="counted by design, among user-space threads; interrupts and preemption left out",
    series=(series("dispatch"), series("dispatch-fix"), series("threads"), series("single")),
    x=Axis("conns", (1, 16, 100), "concurrency", quick=(1, 100), is_log=True),
    common=dict(size=100, sndbuf=16384), metric="switches", also=("handovers",),
    rows=(
        Row("dispatch: hand-overs per request", "4", at("dispatch", conns=100), metric="handovers"),
        Row("dispatch-fix: the same", "2", at("dispatch-fix", conns=100), metric="handovers"),
        Row("threads: the same", "0", at("threads", conns=100), metric="handovers"),
        Row("single: the same", "0", at("single", conns=100), metric="handovers"),
        Row("dispatch: the kernel's switches, concurrency 1", "–", at("dispatch", conns=1)),
        Row("dispatch-fix: the same", "–", at("dispatch-fix", conns=1)),
        Row("single: the same", "–", at("single", conns=1)),
        Row("dispatch: the kernel's switches, concurrency 100", "–", at("dispatch", conns=100)),
        Row("dispatch-fix: the same", "–", at("dispatch-fix", conns=100)),
        Row("single: the same", "–", at("single", conns=100)),
    ),
    limits=(
        Limit("dispatch: about four hand-overs, shim or not", ((at("dispatch", conns=100), None),),
              low=3.5, high=4.5, metric="handovers"),
        Limit("dispatch-fix: two", ((at("dispatch-fix", conns=100), None),),
              low=1.8, high=2.2, metric="handovers"),
        Limit("single: none", ((at("single", conns=100), None),), high=0.05, metric="handovers"),
    ),
    differs="""\
A hand-over is a connection put into a queue for another thread, counted by the server itself: the
design's own number, which is what the paper's table holds. It becomes a switch of the kernel only
if the thread it is handed to sleeps and the other goes to sleep. At concurrency 1 both are so, and
each of the kernel's columns contains one more: the wait for the next request, which the paper does
not count. At concurrency 100 queues are seldom empty and two CPUs run both threads at once, so
that one switch serves many hand-overs.""")
