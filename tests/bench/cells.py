# SPDX-License-Identifier: MIT
"""
What is measured: factors, cells, the rule that leaves cells out, and the choice of the others.

A cell is one combination of levels of all factors. The full product has 2560 of them; chosen are
those the issue names, and as many more as it takes for every pair of levels to occur, filled up to
PAIRWISE cells by those that hold most triples not seen yet. The choice is the same everywhere: it
depends on nothing but this file.

    response_s = rounds * (rtt + 10 us) + size / 1.5 GB/s     of one connection alone
    rounds     = the most of  log2(size / 14480 + 1)    cubic from 10 segments, no limit elsewhere
                              size / 60000              fixed 16 KB send buffer
                              size / 1366               4 KB client buffer: one segment a round
    cpu_s      = 9 us per segment of 1366 bytes, or size / 1.5 GB/s    shared by all connections

(measured in the lab: 1 MB at 5 ms took 10…42, 84 and 3427 ms; 1 MB in single segments 6.3 ms.)
"""
import dataclasses
import functools
import itertools
import math
import random

FACTORS = {
    "host": ("single", "yield", "pool8", "pool64"),
    "size": (10_000, 100_000, 1_000_000, 8_000_000),
    "rtt_ms": (0, 1, 5, 20),
    "sndbuf": (0, 16384),      # 0: the kernel's
    "rcvbuf": (0, 4096),       # of the client
    "heavy": (0, 2, 20, 50, 100),  # % of requests that are for `size`; the others for LIGHT bytes
    "closing": (False, True),  # Connection: close, one request per connection
}
LIGHT = 100
HEAD = 140  # bytes of a response's head, about
PAIRWISE = 56
REAL = ("asyncio", "redis", "nginx")
THREADS = {"single": 1, "yield": None, "pool8": 8, "pool64": 64}  # None: never waits for one

SLOWEST_S = 1.0         # a heavy response may take
FEWEST_PER_S = 5        # answers of the host alone
FEWEST_HEAVY_PER_S = 2
ENOUGH_TRIPS = 50

RULE = (f"left out is a cell in which one heavy response would take more than {SLOWEST_S:g} s, or "
        f"the host alone would answer fewer than {FEWEST_PER_S} requests or {FEWEST_HEAVY_PER_S} "
        "heavy ones a second, by the formula in tests/bench/cells.py")


@dataclasses.dataclass(frozen=True)
class Cell:
    host: str
    size: int
    rtt_ms: int
    sndbuf: int = 0
    rcvbuf: int = 0
    heavy: int = 100
    closing: bool = False
    conns: int = 0       # 0: as many as default_conns() says
    seconds: float = 0   # the shortest run that shows what the cell is for; 0: as asked
    title: str = ""      # of named cells
    rate: float = 0      # expected: at least so many times the host alone
    p99: float = 0       # expected: at most so many times the host alone; 0: not above its noise

    def __post_init__(self):
        if not self.conns:
            object.__setattr__(self, "conns", default_conns(self.host, self.size))

    @property
    def is_real(self):
        return self.host in REAL

    @property
    def levels(self):
        return tuple(getattr(self, name) for name in FACTORS)

    @property
    def id(self):
        """All levels and the concurrency: two cells with the same id are the same experiment."""
        return "-".join((self.host, size_name(self.size), f"{self.rtt_ms}ms",
                         "buf16k" if self.sndbuf else "bufdef",
                         "rcv4k" if self.rcvbuf else "rcvdef", f"h{self.heavy}",
                         "close" if self.closing else "keep", f"c{self.conns}",
                         *([f"{self.seconds}s"] if self.seconds else [])))

    @property
    def is_mixed(self):
        return 0 < self.heavy < 100

    @property
    def mean_bytes(self):
        """Of an answer, over the mix of requests."""
        return HEAD + (self.heavy * self.size + (100 - self.heavy) * LIGHT) / 100

    @property
    def slowest_s(self):
        return loaded_s(self) if self.heavy and not self.is_real else 0

    def run_seconds(self, seconds):
        """
        The window: at least two of its slowest responses; and round trips enough that it makes
        little difference whether one more of them falls into it, since connections move in step.
        """
        steps = ENOUGH_TRIPS * self.rtt_ms / 1e3
        return round(max(seconds, steps, 2 * self.slowest_s, self.seconds), 3)

    def warmup_seconds(self, warmup):
        """Before it: one of them, so that the window begins with responses at every stage."""
        return round(max(warmup, self.slowest_s), 3) if warmup else 0


def size_name(size):
    for unit, name in ((1_000_000, "m"), (1_000, "k")):
        if size >= unit:
            return f"{size // unit}{name}"
    return str(size)


def default_conns(host, size):
    """50; enough for every worker of 64; fewer at 8 MB, where send queues would fill tcp_mem."""
    if host == "pool64":
        return 64 if size >= 8_000_000 else 100
    return 20 if size >= 8_000_000 else 50


def response_s(cell):
    rounds = math.log2(cell.size / 14480 + 1)
    if cell.sndbuf:
        rounds = max(rounds, cell.size / 60000)
    if cell.rcvbuf:
        rounds = max(rounds, cell.size / 1366)
    return math.ceil(rounds) * (cell.rtt_ms / 1e3 + 1e-5) + cell.size / 1.5e9


def cpu_s(cell):
    return cell.size / 1366 * 9e-6 if cell.rcvbuf else cell.size / 1.5e9


def at_once(cell):
    """Responses the host works on at a time."""
    return min(THREADS[cell.host] or cell.conns, cell.conns)


def loaded_s(cell):
    """
    A heavy response among all those under way, where the CPU may be what they wait for. Then even
    a small share of heavy requests is soon most of what is under way, as light ones leave sooner:
    64 workers with 2 % of 8 MB through 4 KB are not steady before each of them has one, 3 s each.
    """
    share = cell.heavy / 100
    heavy_s, light_s = share * cpu_s(cell), (1 - share) * 1e-5
    return max(response_s(cell), at_once(cell) * cpu_s(cell) * heavy_s / (heavy_s + light_s))


def why_left_out(cell):
    """Which part of RULE leaves the cell out; "" for none. Without heavy requests none does."""
    if not cell.heavy:
        return ""
    seconds, share = loaded_s(cell), cell.heavy / 100
    if seconds > SLOWEST_S:
        return f"a response takes {seconds:.1f} s"
    per_s = at_once(cell) / (share * seconds + (1 - share) * 1e-5)
    if per_s < FEWEST_PER_S or per_s * share < FEWEST_HEAVY_PER_S:
        return f"{per_s:.1f} responses a second"
    return ""


def product():
    return [Cell(*levels) for levels in itertools.product(*FACTORS.values())]


def feasible():
    return [cell for cell in product() if not why_left_out(cell)]


def tuples(cell, strength):
    """
    The pairs (triples …) of levels a cell stands for. One without heavy requests never stalls and
    has no size: it stands only for tuples with the level "no heavy requests" itself.
    """
    pairs = tuple(zip(FACTORS, cell.levels))
    return {t for t in itertools.combinations(pairs, strength)
            if cell.heavy or ("heavy", 0) in t}


def infeasible_pairs():
    """Pairs of levels of which the rule leaves no cell."""
    there = set().union(*(tuples(cell, 2) for cell in feasible()))
    return sorted(set().union(*(tuples(cell, 2) for cell in product())) - there)


class Bits:
    """Sets of tuples as bits of one number: a cover in 0.3 s instead of 4."""

    def __init__(self, strength):
        self.strength, self.index = strength, {}

    def of(self, cell):
        return sum(1 << self.index.setdefault(t, len(self.index))
                   for t in tuples(cell, self.strength))


def choose(given, count=PAIRWISE):
    """
    Greedy: each step takes the cell with most uncovered pairs, then most uncovered triples, then
    the first in a shuffled order of fixed seed. Beyond count only while pairs are uncovered.
    """
    candidates = feasible()
    random.Random(3).shuffle(candidates)
    pairs, triples = Bits(2), Bits(3)
    masks = [(pairs.of(cell), triples.of(cell), cell) for cell in candidates]
    open2, open3 = (1 << len(pairs.index)) - 1, (1 << len(triples.index)) - 1
    for cell in given:
        open2, open3 = open2 & ~pairs.of(cell), open3 & ~triples.of(cell)
    chosen = []
    while len(chosen) < count or open2:
        two, three, cell = max(masks, key=lambda m: ((m[0] & open2).bit_count(),
                                                     (m[1] & open3).bit_count()))
        if not (two & open2 or three & open3):
            break
        open2, open3 = open2 & ~two, open3 & ~three
        chosen.append(cell)
    return chosen


def named():
    common = dict(size=1_000_000, rtt_ms=5)
    return [
        Cell("pool64", sndbuf=16384, title="64 spinning workers, fixed 16 KB", rate=15, **common),
        Cell("yield", sndbuf=16384, title="yielding reactor, fixed 16 KB", rate=3, **common),
        Cell("single", conns=100, title="spinning reactor, default buffer", **common),
        Cell("single", sndbuf=16384, title="spinning reactor, fixed 16 KB", **common),
    ]


def real():
    """
    The issue gives no round trip for these; 5 ms as in its other named cells. Where it expects a few
    percent of a server that keeps the CPU busy, runs of 0.8 s spread too widely to tell.
    """
    busy = dict(rtt_ms=5, seconds=2)
    cells = [
        Cell("asyncio", 1_000_000, title="Python asyncio", **busy),
        Cell("asyncio", 8_000_000, title="Python asyncio", rate=1.15, **busy),
        Cell("redis", 1_000_000, title="redis GET", rate=1.03, p99=0.95, **busy),
    ]
    for sndbuf, size, closing in itertools.product((0, 16384), (100_000, 1_000_000), (False, True)):
        cells.append(Cell("nginx", size, 5, sndbuf, closing=closing,
                          title="nginx sndbuf=16k" if sndbuf else "nginx",
                          rate=2.5 if sndbuf and size == 1_000_000 else 0))
    return cells


PARTS = {"named": "named", "real": "real", "pairs": "pairwise"}  # of make bench: group


@functools.cache
def everything():
    """group -> its cells, in the order they are measured."""
    given = named()
    return {"named": given, "real": real(), "pairwise": choose(given)}


def quick():
    """Ids of the quick mode: the named cells, three real servers, a dozen of the pairwise ones."""
    groups = everything()
    given = groups["named"]
    servers = [cell for cell in groups["real"] if cell.rate and not cell.closing]
    fast = [cell for cell in groups["pairwise"] if cell.run_seconds(1) == 1][:12]
    return [cell.id for cell in given + servers + fast]
