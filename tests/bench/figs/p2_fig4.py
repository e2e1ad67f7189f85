# SPDX-License-Identifier: MIT
"""Paper 2, Fig. 4 and 5: processes and connections of the event-driven server."""
from figs.model import WEB, Axis, Figure, Row, at, series

LOAD = 1.6


def copies(count, *options):
    return series(f"{count} process{'es' * (count > 1)}{' blocking' * bool(options)}", "symped", "--send", "sendfile",
                  "--copies", str(count), *options)


FIGURE = Figure(
    id="2-fig4", title="SYMPED: processes, blocking, too few connections",
    source="Fig. 4 and 5, section 5.3",
    setting="µserver on one CPU; a second process gives 38 to 47 %, since one waits for the disk "
            "for 33 % of the time; with blocking sockets 100 processes",
    series=(copies(1), copies(2), copies(4), copies(4, "--blocking"), copies(100, "--blocking"),
            series("4 processes, 200", "symped", "--send", "sendfile", "--max-conns", "50")),
    x=Axis("load", (LOAD,), "sessions offered / capacity"),
    common=WEB, metric="mbps", also=("timeouts_pct",), rounds=2, plot="bars",
    covers=("fig5",),
    rows=(
        Row("2 processes / 1", "1.38 to 1.47", at("2 processes", load=LOAD),
            at("1 process", load=LOAD)),
        Row("4 processes / 2", "about 1", at("4 processes", load=LOAD),
            at("2 processes", load=LOAD)),
        Row("4 processes: 200 connections in all / no limit", "about 0.75",
            at("4 processes, 200", load=LOAD), at("4 processes", load=LOAD)),
        Row("100 blocking / 4 not blocking, past saturation", "0.88 to 1",
            at("100 processes blocking", load=LOAD), at("4 processes", load=LOAD)),
        Row("4 blocking / 4 not blocking", "–", at("4 processes blocking", load=LOAD),
            at("4 processes", load=LOAD)),
    ),
    differs="""\
The gain of a second process was the disk's: 3.2 GB of files in 2 GB of memory. These files are in
memory, nobody waits, and on one CPU there is nothing for a second process to win. 3.2 GB of disk
reads on a virtual disk shared with others would measure that disk.""")
