# SPDX-License-Identifier: MIT
"""
What is measured: the issue's cells, how each is served, and what is expected of it.

    bare      the host alone
    observe   the shim that only counts (UNSPIN_MODE=observe)
    auto      the shim with its defaults
    WORD      the shim with UNSPIN_WAKE=WORD, the one policy that is for this cell
    wide      … with UNSPIN_STRETCH_MAX_US=20000 as well, where the default leaves a timeout alone
    proper    the same host without its fault, alone: what waiting properly costs
"""
import dataclasses
import re

BODY = 100           # bytes of every answer
REDIS_BODY = 64      # of the control
FLAG_EVERY_MS = 20
HERD_CONNS, FANOUT_CONNS, POOL = 32, 64, 32
OPEN_RATE = 200      # requests a second
STRETCH_MAX_US = 1000  # the default: what work handed over by a flag may wait

# Expected by the issue.
RATE_16, SWITCHES_16 = 1.3, 0.2
WASTE_GONE, P99_SAME = 0.9, 1.05
EVENTS, RATE_FANOUT = 3, 1.1


@dataclasses.dataclass(frozen=True)
class Want:
    """One expectation: what (a row of verdicts.MEASURES) and its limit; None: the noise shown."""
    what: str
    limit: float = None


@dataclasses.dataclass(frozen=True)
class Cell:
    id: str
    group: str
    host: str         # a row of hosts.ARGV
    args: tuple = ()
    policy: str = ""  # word of UNSPIN_WAKE that is for it; "": a control
    conns: int = HERD_CONNS
    rate: int = 0     # requests per second of an open load; 0: closed loop
    is_closing: bool = False
    is_idle: bool = False  # no requests at all
    warmup: float = 0.4
    seconds: float = 1.5
    wants: tuple = ()
    is_quick: bool = False


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    is_shimmed: bool = True
    settings: tuple = ()
    args: tuple = ()  # instead of the cell's

    def args_of(self, cell):
        return self.args or cell.args


GROUPS = {
    "herd": "1. Pre-forked asyncio workers on one inherited listener, one request per connection",
    "out": "2. A reactor that leaves a level-triggered EPOLLOUT armed",
    "poll": "3. A reactor that polls with timeout 0 or 1 ms",
    "flag": "3b. Work handed to a polling reactor by a flag, without a descriptor",
    "fanout": "4. Front and back reactors before four redis shards, saturated",
    "control": "5. Controls, which have nothing wrong",
}

IDLE = (Want("waste_gone", WASTE_GONE), Want("p99", P99_SAME))
THIN = (Want("events", EVENTS), Want("rate", RATE_FANOUT))
SAME = (Want("same_rate"), Want("same_p99"))


def herd():
    for workers in (2, 4, 16, 64):
        wants = (Want("rate", RATE_16), Want("switches", SWITCHES_16)) if workers == 16 else ()
        yield Cell(f"asyncio-{workers}", "herd", "prefork", (str(workers),), "exclusive",
                   is_closing=True, wants=wants, is_quick=workers == 16)
    # All workers sleep before each connection: who takes it, and how many wake for it?
    yield Cell("asyncio-16-single", "herd", "prefork", ("16",), "exclusive", conns=1,
               is_closing=True)


def faults():
    # 1200 requests: with 500, the p99 was the noise of five of them.
    open_load = dict(host="faulty", rate=OPEN_RATE, warmup=0.6, seconds=6, wants=IDLE)
    for conns in (1, 16, 64):
        yield Cell(f"out-{conns}", "out", args=("--fault", "out"), policy="mask", conns=conns,
                   is_quick=conns == 16, **open_load)
    yield Cell("poll0", "poll", args=("--fault", "poll0"), policy="stretch", conns=16,
               is_quick=True, **open_load)
    # 1024 polls of 1 ms, after which it may be treated, take a second.
    yield Cell("poll1ms", "poll", args=("--fault", "poll1ms"), policy="stretch", conns=16,
               is_quick=True, **{**open_load, "warmup": 1.5})
    yield Cell("poll0-flag", "flag", "faulty",
               ("--fault", "poll0", "--flag-every-ms", str(FLAG_EVERY_MS)), "stretch",
               is_idle=True, seconds=2, is_quick=True)


def fanouts():
    for backs in (1, 2, 4):
        yield Cell(f"fanout-1-{backs}", "fanout", "fanout", ("--front", "1", "--back", str(backs)),
                   "gather", conns=FANOUT_CONNS, wants=THIN, is_quick=backs == 2)


def controls():
    yield Cell("nginx-keep", "control", "nginx", wants=SAME)
    yield Cell("nginx-close", "control", "nginx", is_closing=True, wants=SAME, is_quick=True)
    yield Cell("redis", "control", "redis", wants=SAME, is_quick=True)
    yield Cell("node", "control", "node", wants=SAME)


def everything():
    return [*herd(), *faults(), *fanouts(), *controls()]


def wake_words(config_def):
    """The words of UNSPIN_WAKE beyond auto and off, from the text of shim/config.def."""
    row = re.search(r'^OPT_SET\(\w+,\s*"WAKE",\s*\d+,\s*"([a-z|]+)"', config_def, re.M)
    if not row:
        raise ValueError("no OPT_SET row of WAKE in config.def")
    return row.group(1).split("|")[2:]


def variants_of(cell):
    """In the order of a table. A control has no policy of its own, and no fault to leave out."""
    yield Variant("bare", is_shimmed=False)
    if cell.policy:
        yield Variant("observe", settings=(("UNSPIN_MODE", "observe"),))
    yield Variant("auto")
    if cell.policy:
        forced = ("UNSPIN_WAKE", cell.policy)
        yield Variant(cell.policy, settings=(forced,))
        if cell.id == "poll1ms":
            yield Variant("wide", settings=(forced, ("UNSPIN_STRETCH_MAX_US", "20000")))
    if cell.group in ("out", "poll"):
        yield Variant("proper", is_shimmed=False, args=("--fault", "none"))


PROGRAMS = {"nginx": ("nginx",), "redis": ("redis-server",), "node": ("node",),
            "fanout": ("redis-server",), "prefork": ("/usr/bin/python3",), "faulty": ()}


def why_missing(cell, variant, words, which):
    """Why this cannot be measured with this library on this machine; "" if it can."""
    for program in PROGRAMS[cell.host]:
        if not which(program):
            return f"{program} is not installed"
    word = dict(variant.settings).get("UNSPIN_WAKE")
    return f"this library's UNSPIN_WAKE has no word '{word}'" if word and word not in words else ""
