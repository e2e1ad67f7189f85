# SPDX-License-Identifier: MIT
"""Paper 1, Fig. 12: the client's receive buffer."""
from figs.model import Axis, Figure, Limit, Row, at, series

SMALL, LARGE = 4096, 100_000

FIGURE = Figure(
    id="1-fig12", title="The client's receive buffer", source="Fig. 12, section 4.3",
    setting="100 KB, auto-tuned send buffer, concurrency 100, no delay",
    series=(series("threads"), series("single")),
    x=Axis("rcvbuf", (SMALL, 16384, LARGE), "client's receive buffer, bytes", quick=(SMALL, LARGE),
           is_log=True),
    common=dict(size=100_000),
    rows=(
        Row("single: 100 KB buffer / 4 KB", "2.7", at("single", rcvbuf=LARGE),
            at("single", rcvbuf=SMALL)),
        Row("threads: the same", "about 1", at("threads", rcvbuf=LARGE),
            at("threads", rcvbuf=SMALL)),
        Row("single / threads, 4 KB", "< 1", at("single", rcvbuf=SMALL),
            at("threads", rcvbuf=SMALL)),
        Row("single: write() calls, 4 KB", "–", at("single", rcvbuf=SMALL), metric="own_writes"),
    ),
    limits=(Limit("single + shim: as fast as threads",
                  tuple((at("single", rcvbuf=b), at("threads", rcvbuf=b))
                        for b in (SMALL, 16384, LARGE)), low=0.98),),
    differs="""\
A receive buffer of 4 KB makes segments of 1.4 KB, one acknowledgement each, where a large one takes
64 KB at once: on today's CPUs that is what the time goes into, of threads as well, so threads are
no longer the flat line of the paper.""")
