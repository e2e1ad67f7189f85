# SPDX-License-Identifier: MIT
"""Paper 3 (SEDA), Fig. 4: an event-driven server, and SEDA itself past saturation."""
from figs.model import Axis, Figure, Limit, Row, at, series
from figs.p3_fig2 import COUNTS, TASK

FIGURE = Figure(
    id="3-fig4", title="Event-driven and staged servers", source="Fig. 4, section 2.3",
    setting="as Fig. 2, one event-driven thread: throughput constant, latency linear",
    series=(series("yield"), series("seda"), series("threads")),
    x=Axis("conns", COUNTS, "tasks (connections)", quick=(1, 64, 1024), is_log=True),
    common=TASK, also=("p50_ms", "cpu_ms", "refused"),
    rows=(
        Row("yield: 1024 / 64", "1", at("yield", conns=1024), at("yield", conns=64)),
        Row("yield: latency, 1024 / 64 (linear: 16)", "16", at("yield", conns=1024),
            at("yield", conns=64), metric="p50_ms"),
        Row("seda: 1024 / 64", "1", at("seda", conns=1024), at("seda", conns=64)),
        Row("seda: 4096 / 64", "1", at("seda", conns=4096), at("seda", conns=64)),
        Row("threads: 4096 / 64", "falls", at("threads", conns=4096), at("threads", conns=64)),
        *(Row(f"{name}: CPU per task, 4096 / 64", "–", at(name, conns=4096), at(name, conns=64),
              metric="cpu_ms") for name in ("yield", "seda", "threads")),
        Row("seda: requests refused in a run, 4096", "–", at("seda", conns=4096),
            metric="refused"),
    ),
    limits=(
        Limit("yield stays flat (1024 at least 0.9 of 64)",
              ((at("yield", conns=1024), at("yield", conns=64)),), low=0.9, to_variant="auto"),
        *(Limit(f"seda stays flat ({count} at least 0.9 of 64)",
                ((at("seda", conns=count), at("seda", conns=64)),), low=0.9, to_variant="auto")
          for count in (1024, 4096)),
    ),
    differs="""\
seda has 1024 places before each stage; of 4096 connections it sheds the rest (503, or the connection
is closed before the last stage), and only answers count here. A refused client asks again at once,
each time at the price of a parse: where the rate of answers falls at 4096, CPU per answer says how
much of it is that. With think times it is not so: see 2-fig7. For 4096 threads with the shim see 3-fig2.""")
