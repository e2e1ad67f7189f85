# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 7: a copy of the server per core."""
from figs.model import Axis, Figure, Row, at, series

NAMES = ("single", "threads", "dispatch-fix", "dispatch")

FIGURE = Figure(
    id="1-fig7", title="A copy of the server per core", source="Fig. 7, section 3.2",
    setting="1 to 4 cores, N pinned copies, 0.1 KB, concurrency 100; nearly linear",
    series=tuple(map(series, NAMES)),
    x=Axis("cores", (1, 2), "cores and copies"),
    common=dict(size=100, sndbuf=16384), also=("switches",), plot="bars",
    rows=(
        *(Row(f"{name}: two cores / one", "about 2", at(name, cores=2), at(name, cores=1))
          for name in NAMES),
        Row("single / dispatch, one core", "1.91 (Fig. 6a)", at("single", cores=1),
            at("dispatch", cores=1)),
        Row("dispatch-fix / dispatch, one core", "1.23 (Table 4)", at("dispatch-fix", cores=1),
            at("dispatch", cores=1)),
        Row("dispatch: switches per request, one core", "–", at("dispatch", cores=1),
            metric="switches"),
        Row("dispatch-fix: the same", "–", at("dispatch-fix", cores=1), metric="switches"),
    ),
    differs="""\
With one core the server has CPU 0 and the client CPU 1, the nearest to the paper's setting here.
With two copies the client takes its part of both CPUs: no server can double on a machine that has
two cores for both, so only the order of the architectures carries over.""")
