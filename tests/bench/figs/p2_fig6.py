# SPDX-License-Identifier: MIT
"""Paper 2, Fig. 6: writers and connections of the pipeline."""
from figs.model import WEB, Axis, Figure, Row, at, series

LOAD = 1.6


def writers(count, *options):
    return series(f"{count} writers{', 200' * bool(options)}", "pipeline", "--send", "sendfile",
                  "--threads", str(count), *options)


FIGURE = Figure(
    id="2-fig6", title="Pipeline: writers and connections", source="Fig. 6, section 6.1",
    setting="WatPipe on one CPU; from 5 to 25 writers 10 to 12 %, more give nothing; 20 000 "
            "connections instead of 10 000 give 33 to 38 %",
    series=(writers(5), writers(25), writers(50), writers(25, "--max-conns", "200")),
    x=Axis("load", (LOAD,), "sessions offered / capacity"),
    common=WEB, metric="mbps", also=("timeouts_pct",), rounds=2, plot="bars",
    rows=(
        Row("25 writers / 5", "1.10 to 1.12", at("25 writers", load=LOAD),
            at("5 writers", load=LOAD)),
        Row("50 writers / 25", "about 1", at("50 writers", load=LOAD), at("25 writers", load=LOAD)),
        Row("25 writers: 200 connections / no limit", "0.72 to 0.75",
            at("25 writers, 200", load=LOAD), at("25 writers", load=LOAD)),
    ),
    differs="As in Fig. 4: writers were for the disk (14 % idle with 5 of them, 1 % with 25).")
