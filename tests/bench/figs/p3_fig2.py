# SPDX-License-Identifier: MIT
"""Paper 3 (SEDA), Fig. 2: a thread per task."""
from figs.model import Axis, Figure, Limit, Row, at, series

COUNTS = (1, 16, 64, 256, 1024, 4096)
TASK = dict(size=8192, cores=1, work=10)

FIGURE = Figure(
    id="3-fig2", title="A thread per task", source="Fig. 2, section 2.1",
    setting="4 CPUs, Linux 2.2.14, tasks made within the server, each reads 8 KB; throughput falls "
            "far past some tens of threads, latency grows faster than linearly",
    series=(series("threads"),),
    x=Axis("conns", COUNTS, "threads (connections)", quick=(1, 64, 1024), is_log=True),
    common=TASK, also=("p50_ms", "cpu_ms", "switches"),
    rows=(
        Row("threads: 1024 / 64", "falls (no number given)", at("threads", conns=1024),
            at("threads", conns=64)),
        Row("threads: 4096 / 64", "–", at("threads", conns=4096), at("threads", conns=64)),
        Row("latency, 1024 / 64 (linear: 16)", "> 16", at("threads", conns=1024),
            at("threads", conns=64), metric="p50_ms"),
        Row("CPU per task, 1024 / 64", "–", at("threads", conns=1024), at("threads", conns=64),
            metric="cpu_ms"),
        Row("CPU per task, 4096 / 64", "–", at("threads", conns=4096), at("threads", conns=64),
            metric="cpu_ms"),
    ),
    limits=tuple(Limit(f"threads fall past saturation ({count} at most 0.9 of 64)",
                       ((at("threads", conns=count), at("threads", conns=64)),), high=0.9,
                       of_variant="bare") for count in (1024, 4096)),
    differs="""\
Tasks come over connections of a client on CPU 1; the server has CPU 0, and each task reads its 8 KB
ten times, so that it is the server that is saturated. Linux 2.2 looked through all runnable threads
to choose the next; today's scheduler takes the next of a tree, and switches between threads of one
process keep the address space. What is left of the fall is what a task costs when a thread finds
its stack and its socket no longer in the cache; it comes later than in the paper. Recorded with a
library that looked through its 256 rows for each thread beyond them (0.77 of bare at 4096); mended
since (commit aaea434), which gave 0.97 there, 3 rounds.""")
