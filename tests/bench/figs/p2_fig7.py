# SPDX-License-Identifier: MIT
"""Paper 2, Fig. 7: the architectures, each as it is best, below and past saturation."""
from figs.model import WEB, Axis, Figure, Limit, Row, at, series

LOADS = (0.6, 1.0, 1.6)
PAST = LOADS[-1]
SENDFILE = ("--send", "sendfile")


def row(text, paper, name, to, load=1.0):
    return Row(text, paper, at(name, load=load), at(to, load=load))


FIGURE = Figure(
    id="2-fig7", title="Architectures under an open load", source="Fig. 7 and Table 1, section 7",
    setting="one CPU, 36 file sizes, Zipf, think times 3.0 and 0.343 s, time-out 15 s, sessions at "
            "a fixed rate",
    series=(
        series("yield"), series("single"), series("symped", "symped", *SENDFILE),
        series("symped shared", "symped", "--shared-cache"),
        series("symped blocking", "symped", *SENDFILE, "--copies", "100", "--blocking"),
        series("threads copy", "threads", "--send", "copy"),
        series("threads sendfile-nb", "threads", "--send", "sendfile-nb"),
        series("threads sendfile-b", "threads", "--send", "sendfile-b"),
        series("pipeline", "pipeline", *SENDFILE), series("seda"),
    ),
    x=Axis("load", LOADS, "sessions offered / capacity", quick=(PAST,)),
    common=WEB, metric="mbps", also=("timeouts_pct", "mean_ms"), rounds=2,
    rows=(
        row("symped / one process (yield)", "1.38", "symped", "yield"),
        row("threads sendfile-b / copy (knot-b / knot-c)", "1.13", "threads sendfile-b",
            "threads copy"),
        row("threads sendfile-b / -nb (knot-b / knot-nb)", "1.07", "threads sendfile-b",
            "threads sendfile-nb"),
        row("symped shared / threads sendfile-b", "1.18", "symped shared", "threads sendfile-b"),
        row("symped shared / threads copy", "1.34", "symped shared", "threads copy"),
        row("pipeline / symped", "about 1", "pipeline", "symped"),
        row("symped blocking / symped, at saturation", "1", "symped blocking", "symped"),
        row("symped blocking / symped shared, past it", "0.88", "symped blocking", "symped shared",
            PAST),
        *(Row(f"{name}: past saturation / at it", paper, at(name, load=PAST), at(name, load=1.0))
          for name, paper in (("threads copy", "–"), ("seda", "–"), ("symped", "–"))),
    ),
    limits=(
        *(Limit(f"seda{name}: stays flat past saturation",
                ((at("seda", load=PAST), at("seda", load=1.0)),), low=0.9, of_variant=variant,
                to_variant=variant) for name, variant in (("", "bare"), (" + shim", "auto"))),
        Limit("threads: fall past saturation", ((at("threads copy", load=PAST),
                                                 at("threads copy", load=1.0)),), high=0.9,
              of_variant="bare"),
        Limit("symped + shim: as fast as symped --blocking, at and past saturation",
              tuple((at("symped", load=load), at("symped blocking", load=load))
                    for load in LOADS[1:]), low=0.98),
    ),
    differs="""\
Ten times faster (think times, time-out), the files of one directory, all in memory: the third of
the time that the paper's one process waits for its disk is not there, and with it goes most of what
sets the architectures apart. Capacity is what one process (yield) answers without think times; each
request costs 20 passes over its body besides, so that the server is what is saturated and not
httperf. Threads are the kernel's, not Capriccio's: they need no wrapper around system calls and no
scheduler in user space, which were 7 to 11 % of Knot's time.""")
