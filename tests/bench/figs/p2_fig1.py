# SPDX-License-Identifier: MIT
"""Paper 2, Fig. 1 to 3: Knot's three ways to send, with enough connections and with too few."""
from figs.model import WEB, Axis, Figure, Row, at, series

FEW = ("--max-conns", "200")
HOW = ("copy", "sendfile-nb", "sendfile-b")

FIGURE = Figure(
    id="2-fig1", title="Threads: three ways to send, too few connections",
    source="Fig. 1, 2 and 3, section 4.4",
    setting="Knot-c, -nb, -b on one CPU; at least 15 000 of its user-level threads for peak rates, "
            "10 000 stay at 930 Mbit/s of up to 1230",
    series=tuple(series(f"threads {how}{', 200' if few else ''}", "threads", "--send", how, *few)
                 for how in HOW for few in ((), FEW)),
    x=Axis("load", (1.6,), "sessions offered / capacity"),
    common=WEB, metric="mbps", also=("timeouts_pct",), rounds=2, plot="bars",
    covers=("fig2", "fig3"),
    rows=(
        *(Row(f"{how}: at most 200 connections / no limit", paper,
              at(f"threads {how}, 200", load=1.6), at(f"threads {how}", load=1.6))
          for how, paper in zip(HOW, ("–", "0.80 (930 / 1165)", "0.78 (960 / 1230)"))),
        *(Row(f"{how}: sessions timed out, 200 connections, %", "–",
              at(f"threads {how}, 200", load=1.6), metric="timeouts_pct") for how in HOW),
    ),
    differs="""\
The size of Knot's cache (Fig. 1) and its worker threads (Fig. 2, 3) have no counterpart: the files
are in the page cache, and each connection has a thread of the kernel. 200 connections here are what
10 000 are there: fewer than think at any time at this rate.""")
