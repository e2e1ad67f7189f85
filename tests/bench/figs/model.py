# SPDX-License-Identifier: MIT
"""
What a paper's figure is made of. A figure is a file of this directory that defines FIGURE.

    cell      one experiment: a server (arch and options), a load, a network
    series    a line of the plot: a name and the cell's fields that make it
    axis      a field of the cell and the values it takes
    at()      a point: a series and the other fields; figures compare points
    row       of the figure's table: the paper's number, ours bare, ours with the shim
    limit     what is expected of ours; judged round by round, as the matrix judges
"""
import dataclasses
import itertools

import cells

WORDS = {"rate": "requests per second", "writes": "write calls per response",
         "own_writes": "write() calls per response", "switches": "context switches per request",
         "voluntary": "voluntary switches per request",
         "handovers": "hand-overs between threads per request", "p50_ms": "median latency, ms",
         "cpu_ms": "CPU of the server per answer, ms", "mbps": "Mbit/s", "futex_pct": "CPU time in futex, %", "refused": "refused",
         "futex_calls": "futex calls per response", "futex_time_pct": "futex in system calls, %",
         "timeouts_pct": "sessions timed out, %", "mean_ms": "mean latency, ms",
         "stalls": "stalled writes per response"}


@dataclasses.dataclass(frozen=True)
class Cell:
    arch: str
    options: tuple = ()  # further options of the reactor
    size: int = 100
    rtt_ms: int = 0
    sndbuf: int = 0
    rcvbuf: int = 0
    heavy: int = 100     # % of requests for `size`, the others for cells.LIGHT
    conns: int = 100
    cores: int = 0       # 0: nothing pinned, as in the matrix; 1: see server_argv; 2: a copy each
    work: int = 0
    has_files: bool = False  # the files and requests of sessions.py instead of `size`
    load: float = 0      # open loop: sessions per second, in parts of what CALIBRATION answers
    tool: str = ""       # of profiler.py

    host = "reactor"
    is_real = closing = False

    @property
    def id(self):
        named = (("size", "b"), ("rtt_ms", "ms"), ("sndbuf", "snd"), ("rcvbuf", "rcv"),
                 ("heavy", "h"), ("conns", "c"), ("cores", "cores"), ("work", "work"),
                 ("load", "load"))
        default = {field.name: field.default for field in dataclasses.fields(self)}
        words = [self.arch, *(word.lstrip("-") for word in self.options)]
        words += [f"{unit}{getattr(self, name):g}" for name, unit in named
                  if name in ("size", "conns") or getattr(self, name) != default[name]]
        return "-".join(words + ["files"] * self.has_files + [self.tool] * bool(self.tool))

    @property
    def conditions(self):
        """All but the server: cells that a figure compares are next to each other in this order."""
        return (self.tool, self.load, self.work, self.cores, self.rcvbuf, self.heavy, self.size,
                self.rtt_ms, self.conns, self.sndbuf, self.arch, self.options)

    @property
    def client(self):
        """wrk where it will do: see README.md for what it cannot."""
        return ("httperf" if self.load else "wrk-files" if self.has_files
                else "timed" if self.rtt_ms else "wrk")

    @property
    def is_mixed(self):
        return 0 < self.heavy < 100

    @property
    def mean_bytes(self):
        return cells.HEAD + (self.heavy * self.size + (100 - self.heavy) * cells.LIGHT) / 100

    @property
    def seconds(self):
        """Of a run. wrk's are whole ones; thousands of connections need one to get going."""
        if self.load:
            return 2.5
        return 1.3 if self.rtt_ms else 2 if self.conns > 1000 else 1

    @property
    def warmup(self):
        return 0.3 if self.client == "timed" else 0

    @property
    def variants(self):
        return ("bare",) if self == CALIBRATION else ("bare", "auto")

    def server_argv(self, reactor, host, port, root):
        """
        With one core the server has CPU 0 to itself and the client CPU 1; with two, a copy of the
        server is pinned to each and the client runs where it can.
        """
        argv = ["taskset", "-c", "0"] if self.cores == 1 else []
        argv += [reactor, "--host", host, "--port", str(port), "--arch", self.arch, *self.options]
        argv += ["--copies", "2", "--pin"] if self.cores == 2 else []
        for option, value in (("--sndbuf", self.sndbuf), ("--work", self.work)):
            argv += [option, str(value)] if value else []
        return argv + (["--root", root] if self.has_files else [])

    def client_argv(self):
        return ["taskset", "-c", "1"] if self.cores == 1 else []


# How many requests per second the SPED server answers, asked without pause: loads are parts of it.
WEB = dict(cores=1, work=20, has_files=True)
CALIBRATION = Cell("yield", conns=64, **WEB)


@dataclasses.dataclass(frozen=True)
class Series:
    name: str
    fields: dict

    def __hash__(self):
        return hash(self.name)


def series(name, arch=None, *options, **fields):
    return Series(name, dict(arch=arch or name, options=options, **fields))


@dataclasses.dataclass(frozen=True)
class Axis:
    field: str
    values: tuple
    label: str
    quick: tuple = ()  # of the values, for the quick mode; (): all
    is_log: bool = False

    def of(self, is_quick):
        return self.quick or self.values if is_quick else self.values


def at(name, **fields):
    return name, fields


@dataclasses.dataclass(frozen=True)
class Row:
    text: str
    paper: str
    of: tuple
    to: tuple = None   # None: the value itself
    metric: str = ""   # "": the figure's


@dataclasses.dataclass(frozen=True)
class Limit:
    """low ≤ of / to ≤ high for each pair; of under the shim and to bare, unless said otherwise."""
    text: str
    pairs: tuple
    low: float = None
    high: float = None
    metric: str = ""
    of_variant: str = "auto"
    to_variant: str = "bare"


@dataclasses.dataclass(frozen=True)
class Figure:
    id: str        # paper-figure: 1-fig11
    title: str
    source: str    # where in the paper
    setting: str   # the paper's
    series: tuple
    x: Axis
    rows: tuple
    differs: str   # what differs here, and why
    panel: Axis = None
    common: dict = dataclasses.field(default_factory=dict)
    metric: str = "rate"
    also: tuple = ()   # further metrics that get a plot of their own
    limits: tuple = ()
    rounds: int = 3
    plot: str = "lines"  # or bars
    covers: tuple = ()   # other figures of the paper that this one stands for: fig2

    def cell(self, point):
        """Of a point; what it does not say comes from the series, then from what is common."""
        name, fields = point
        base = next(s for s in self.series if s.name == name).fields
        return Cell(**{**self.common, **base, **fields})

    def grid(self, is_quick=False):
        """(series, panel value, x value, cell)"""
        panels = self.panel.of(is_quick) if self.panel else (None,)
        for p, s, x in itertools.product(panels, self.series, self.x.of(is_quick)):
            fields = {self.x.field: x, **({self.panel.field: p} if self.panel else {})}
            yield s, p, x, self.cell(at(s.name, **fields))

    def is_inside(self, cell, is_quick):
        """Whether a point's cell is measured: tools are an addition to a cell of the grid."""
        grid = {each for *_, each in self.grid(is_quick)}
        return dataclasses.replace(cell, tool="") in grid

    def points(self):
        for row in self.rows:
            yield from filter(None, (row.of, row.to))
        for limit in self.limits:
            for pair in limit.pairs:
                yield from filter(None, pair)

    def cells(self, is_quick=False):
        """All, each once: those of the grid, then those only a row or limit asks for."""
        grid = [cell for *_, cell in self.grid(is_quick)]
        found = [CALIBRATION] if any(cell.load for cell in grid) else []
        tools = [cell for cell in map(self.cell, self.points())
                 if cell.tool and self.is_inside(cell, is_quick)]
        return list(dict.fromkeys(found + grid + tools))

    def rounds_of(self, cell, is_quick):
        return 1 if is_quick or cell.tool else self.rounds
