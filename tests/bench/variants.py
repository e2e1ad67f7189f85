# SPDX-License-Identifier: MIT
"""
How a cell is served: by the host alone, under the shim, or by a host tuned by hand.

    bare      the host alone
    auto      the shim with its defaults (whatever shim/config.def says the default is)
    WORD      the shim with UNSPIN_WRITE=WORD, one variant for each other word of that option
    sndbuf    by hand: a fixed send buffer that holds the response; also of nginx and asyncio
    threads   by hand: one blocking thread per connection
    netty     by hand: leaves the write loop after 16 tries or an EAGAIN
    off       the shim that only counts; like hybrid only when asked for: it is no strategy
    hybrid    the paper's remedy, a map of request classes; only when asked for (--variants), since
              the issue does not count it among the hand-tuned
"""
import dataclasses
import re
import subprocess


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    kind: str            # bare, shim or hand
    settings: tuple = ()  # UNSPIN_* of a shim variant: ((name, value), …)
    arch: str = ""       # of the reactor, in place of the host's
    has_large_buffer: bool = False
    is_extra: bool = False


HAND = (
    Variant("sndbuf", "hand", has_large_buffer=True),
    Variant("threads", "hand", arch="threads"),
    Variant("netty", "hand", arch="netty"),
    Variant("hybrid", "hand", arch="hybrid", is_extra=True),
)

UNASKED = ("off", "hybrid")  # not measured unless named
FORCED_ROUNDS = 3  # of the forced strategies, which explain; what is judged gets all rounds
CAN_WIN = 0.9      # of the fastest hand-tuned variant in round 1: below, no more rounds

HAND_OF_REAL = {"nginx": ("sndbuf",), "asyncio": ("sndbuf",)}  # redis has no such setting

HOST_ARGS = {
    "single": ("--arch", "single"),
    "yield": ("--arch", "yield"),
    "pool8": ("--arch", "dispatch-fix", "--threads", "8"),
    "pool64": ("--arch", "dispatch-fix", "--threads", "64"),
}


def write_words(config_def):
    """The default and the other words of UNSPIN_WRITE, from the text of shim/config.def."""
    row = re.search(r'^OPT_ENUM\(\w+,\s*"WRITE",\s*(\d+),\s*"([a-z|]+)"', config_def, re.M)
    if not row:
        raise ValueError("no OPT_ENUM row of WRITE in config.def")
    words = row.group(2).split("|")
    default = words.pop(int(row.group(1)))
    return default, words


def all_variants(config_def):
    _, words = write_words(config_def)
    shim = [Variant("auto", "shim")]
    shim += [Variant(word, "shim", settings=(("UNSPIN_WRITE", word),)) for word in words]
    return [Variant("bare", "bare"), *shim, *HAND]


def of_cell(cell, variants):
    """Of what can be tuned by hand, real servers have the settings they have."""
    return [v for v in variants
            if v.kind != "hand" or not cell.is_real or v.name in HAND_OF_REAL.get(cell.host, ())]


def large_buffer(size):
    """A power of two that holds the response; the kernel doubles it for its own overhead."""
    return max(65536, 1 << (size - 1).bit_length())


def sndbuf_of(cell, variant):
    """What the server is told to fix its send buffers to; 0: nothing."""
    return large_buffer(cell.size) if variant.has_large_buffer else cell.sndbuf


def reactor_args(cell, variant):
    args = ("--arch", variant.arch) if variant.arch else HOST_ARGS[cell.host]
    sndbuf = sndbuf_of(cell, variant)
    return [*args, *(("--sndbuf", str(sndbuf)) if sndbuf else ())]


def reactor_archs(reactor):
    """Names in the list of architectures at the end of reactor --help."""
    text = subprocess.run([reactor, "--help"], capture_output=True, text=True).stdout
    return set(re.findall(r"^  ([a-z][\w-]*)", text.partition("architectures:")[2], re.M))


def why_missing(cell, variant, archs, has_program):
    """Why this pair cannot be measured with what is installed here; "" if it can."""
    if cell.is_real:
        program = {"nginx": "nginx", "redis": "redis-server", "asyncio": "/usr/bin/python3"}
        return "" if has_program(program[cell.host]) else f"{program[cell.host]} is not installed"
    arch = reactor_args(cell, variant)[1]
    return "" if arch in archs else f"reactor has no --arch {arch}"
