# SPDX-License-Identifier: MIT
"""Cases that are the same for every server."""



from common import Failed, Suite, equal, total, true
from fetch import (SLOW, STANDARD_LOAD_BYTES, STANDARD_LOAD_REQUESTS, fetch_everything,
                   in_parallel)
from trace import COUNTED, STREAM_KINDS, Strace

MODES = {
    "bare": None,
    "observe": {"MODE": "observe"},
    "grow": {"WRITE": "grow"},
    "spin": {"WRITE": "spin"},
    "block": {"WRITE": "block"},
    "off": {"MODE": "off"},
    "auto": {},
}


def clients_rows(stats):
    """The rows of connections that clients made, in all processes."""
    return [row for one in stats.values() for row in one["sockets"]
            if row["kind"] == "tcp" and not row["is_listener"] and not row["is_dialled"]]


def check_stake(mode, stats, is_treated=True):
    """Slow readers had something to slow, and the mode did what it is for, and nothing else."""
    stalls = total(stats, "eagain_writes") + total(stats, "short_writes")
    if mode in ("grow", "auto"):
        true("no write stalled although readers are slow, and none was grown ahead of",
             stalls or total(stats, "ahead_growths"))
    else:
        true("no write stalled although readers are slow", stalls)
        equal("growths in mode " + mode, total(stats, "growths"), 0)
    if mode == "observe":
        equal("retries in mode observe", total(stats, "retries"), 0)
    if mode == "grow":
        true("no buffer was raised with write=grow", total(stats, "grown_sockets"))
    for name, strategy in (("spun_calls", "spin"), ("blocked_calls", "block")):
        if mode == strategy and is_treated:
            true("no " + name, total(stats, name))
        elif mode != "auto":
            equal("%s in mode %s" % (name, mode), total(stats, name), 0)


def check_served(server, stats):
    """After the standard load: every client was seen, and what it received was written."""
    equal("accepts", total(stats, "accepts"), server.connections)
    true("write_bytes is less than the bytes received",
         total(stats, "write_bytes") >= STANDARD_LOAD_BYTES)


def check_totals(server, mode, stats):
    """After the standard load: what the totals must say, to the count."""
    check_served(server, stats)
    equal("connections with a row", len(clients_rows(stats)), server.connections)
    equal("responses of these connections",
          sum(row["responses"] for row in clients_rows(stats)),
          STANDARD_LOAD_REQUESTS + server.responses_so_far())
    for name in ("writes", "write_bytes", "eagain_writes", "short_writes", "resumes"):
        equal("sum of the rows' %s" % name,
              sum(row[name] for one in stats.values() for row in one["sockets"]),
              total(stats, name))
    check_stake(mode, stats, not server.is_cancellable)


def byte_exact(make, mode, check=check_totals, check_running=None):
    """check(server, mode, statistics) at the end; check_running(server) while it runs."""
    server = make(MODES[mode])
    with server:
        fetch_everything(server.connect, server.fast)
        server.settle()  # a response is over when the server has seen the client's end
        if check_running:
            check_running(server)
    stats = server.stats()
    if mode in ("bare", "off"):
        equal("statistics files", sorted(stats), [])
    else:
        check(server, mode, stats)


def run_bytes(*makes):
    suite = Suite()
    for make in makes:
        for mode in MODES:
            suite.run("%s_%s_answers_are_byte_exact" % (make.__name__.lower(), mode),
                      byte_exact, make, mode)
    suite.end()


def small_load(server):
    """Few enough calls for strace, and every kind: full, short, refused, resumed."""
    with server.connect() as connection:
        for name in ("100", "10k", "100k", "1m", "100"):
            connection.fetch(name)

    def slow_reader():
        with server.connect(SLOW) as connection:
            connection.fetch("1m")
            connection.fetch("8m")
    in_parallel([slow_reader] * 2)


def differences(traced, stats):
    """What strace saw of each process against the statistics of that process."""
    found = []
    for process in sorted(set(traced) | set(stats)):
        for name in COUNTED:
            want = traced.get(process, {}).get(name, 0)
            got = stats[process]["totals"][name] if process in stats else 0
            if want != got:
                found.append("process %d %s: strace %d, shim %d" % (process, name, want, got))
    return found


def counts_equal(make, load, mode, kinds=STREAM_KINDS):
    tracer = Strace(kinds)
    server = make(MODES[mode], tracer=tracer)
    with server:
        load(server)
        server.settle()
    traced, stats = tracer.counts(), server.stats()
    writes = sum(one["writes"] for one in traced.values())
    true("strace saw only %d writes: the log was not understood" % writes, writes > 5)
    found = differences(traced, stats)
    if found:
        raise Failed("; ".join(found))
    if mode == "observe":
        equal("retries in mode observe", total(stats, "retries"), 0)
    if mode in ("spin", "block") and not server.is_cancellable:
        true("no retry: the equation was not tested", total(stats, "retries"))


def run_counts(make, load=small_load, modes=("observe", "auto", "grow", "spin", "block")):
    suite = Suite()
    for mode in modes:
        suite.run("%s_%s_counts_equal_strace" % (make.__name__.lower(), mode),
                  counts_equal, make, load, mode)
    return suite
