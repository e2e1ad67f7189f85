#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""System calls of the library are refused, by a sandbox, an old kernel or for want of resources:
the host's own results stay, counting goes on as far as it can, the feature goes off and says so.

The filters are set by the helpers' main(), for the rest of the process.
"""
import errno
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

GROW = {"mode": "adapt", "UNSPIN_WRITE": "grow"}
SPIN = {"mode": "adapt", "UNSPIN_WRITE": "spin"}
SOL_SOCKET, SOL_TCP = 1, 6
SO_TYPE, SO_SNDBUF, SO_SNDBUFFORCE, SO_ACCEPTCONN = 3, 7, 32, 30
SO_MEMINFO, SO_COOKIE, SO_BUF_LOCK, TCP_INFO, F_GETFL = 55, 57, 72, 11, 3
REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def numbers():
    """System call numbers by name, from the machine's own headers."""
    out = subprocess.run([ct.CC, "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                         text=True, capture_output=True, check=True).stdout
    return {name: int(n) for name, n in re.findall(r"#define __NR_(\w+) (\d+)", out)}


NR = numbers()


def rule(name, error, **arguments):
    return "".join([str(NR[name]), *(f",{k[1:]}={v}" for k, v in arguments.items()), f":{error}"])


def run(helper, scenario, *rules, **settings):
    helper = "ct_calls" if scenario in ("responses", "functions") else helper
    r = ct.run(helper, scenario, CT_FILTER=" ".join(rules), **settings)
    if "no_seccomp" in r.facts:
        raise ct.Skip("no seccomp filters here")
    ct.check_equal((r.rc, r.err), (0, ""), f"{scenario} under {rules}")
    return r


def refused(r, least=1):
    ct.check(r.kept.globals["aux_refused"] >= least, "the refusal is not in aux_refused")
    ct.check(r.kept.globals["aux_refused"] < 10, "a refused call is made again and again: "
             f"{r.kept.globals['aux_refused']} times")


# Scenarios whose counts must stay exact when the library may not ask what it wants to.
EXACT = ("eagain", "shorts", "spins", "resumes", "responses", "functions", "tcp")


def exact(*rules, **settings):
    for scenario in EXACT:
        r = run("ct_counts", scenario, *rules, **settings)
        expects = dict(r.expects)
        ct.compare(r.kept, expects)
        if scenario == "tcp":
            row = r.kept.socket(r.fact("fd"))
            ct.check_equal(row.writes, r.expects["writes"], "writes in the row")
    return r


@ct.case("refused_cookie_keeps_counts_exact")
def cookie():
    for error in REFUSALS + (errno.ENOPROTOOPT,):
        r = exact(rule("getsockopt", error, _1=SOL_SOCKET, _2=SO_COOKIE))
        ct.check_equal(r.kept.globals["strangers"], 0, "strangers")
        refused(r)


@ct.case("refused_questions_switch_growth_off")
def questions():
    for error in REFUSALS:
        # Without the buffer's room neither way to grow knows how far.
        r = run("ct_grow", "for_ever", rule("getsockopt", error, _1=SOL_SOCKET, _2=SO_MEMINFO),
                **GROW)
        ct.check_equal(r.fact("after"), r.fact("before"), "buffer without SO_MEMINFO")
        ct.check_equal(r.kept.total("growths"), 0, "growths without SO_MEMINFO")
        ct.check_equal(r.kept.reason(r.kept.socket(r.fact("fd"))), "REFUSED", "reason")
        refused(r)
        # The cause of a stall is asked by TCP_INFO. Growth ahead has no stall to ask about; it
        # goes on until the first one, whose refusal switches both ways off.
        r = run("ct_grow", "for_ever", rule("getsockopt", error, _1=SOL_TCP, _2=TCP_INFO), **GROW)
        ct.check_equal((r.kept.total("ahead_growths"), r.kept.total("growths")), (1, 1),
                       "growths ahead, growths without TCP_INFO")
        ct.check(r.kept.total("eagain_writes") > 1000, "nothing stalled")
        ct.check_equal(r.kept.reason(r.kept.socket(r.fact("fd"))), "REFUSED", "reason")
        refused(r)


@ct.case("refused_tcp_info_after_short_writes_only_grows_nothing")
def small_writes():
    # Writes that give growth ahead no reason: all there is is the stall path.
    for error in REFUSALS:
        r = run("ct_edge", "brim_small", rule("getsockopt", error, _1=SOL_TCP, _2=TCP_INFO),
                **GROW)
        ct.check_equal((r.kept.total("growths"), r.fact("after")), (0, r.fact("before")),
                       "growths, buffer")
        refused(r)


@ct.case("refused_cookie_leaves_growth_but_no_retry")
def no_identity():
    # A retry must go to the socket of the host's call; without cookies nobody can tell.
    for error in REFUSALS:
        one = rule("getsockopt", error, _1=SOL_SOCKET, _2=SO_COOKIE)
        r = run("ct_ahead", "by_write", one, **GROW)
        ct.check_equal((r.fact("sent"), r.kept.total("ahead_growths")), (65536, 1), "ahead")
        r = run("ct_ahead", "by_writev", one, **GROW)
        ct.check(0 < r.fact("sent") < 65536, f"by_writev: sent {r.fact('sent')}")
        ct.check_equal((r.kept.total("growths"), r.kept.total("retries")), (1, 0),
                       "growths, retries")
        refused(r)


@ct.case("refused_retries_leave_the_hosts_own_result")
def retries():
    # What a retry needs: signals held back, a look whether there is room, the send itself. The
    # first refusal switches retries off; growth stays.
    for name in ("rt_sigprocmask", "ppoll", "sendmsg"):
        for error in REFUSALS:
            r = run("ct_ahead", "by_writev", rule(name, error), **GROW)
            ct.check(0 < r.fact("sent") < 65536, f"{name}: sent {r.fact('sent')}")
            ct.check_equal((r.fact("errno"), r.kept.total("finished_calls"),
                            r.kept.total("retry_bytes"), r.kept.total("growths")),
                           (4711, 0, 0, 1), f"{name}: errno, finished, retry_bytes, growths")
            refused(r)
            for scenario in ("eagain", "shorts"):
                r = run("ct_counts", scenario, rule(name, error), **SPIN)
                ct.compare(r.kept, r.expects)
                ct.check(r.kept.total("retries") <= 1, f"{name}: tried again after the refusal")
                refused(r)


@ct.case("refused_sndbuf_switches_growth_off")
def sndbuf():
    for error in REFUSALS:
        r = run("ct_grow", "plain", rule("setsockopt", error, _2=SO_SNDBUF),
                rule("setsockopt", error, _2=SO_SNDBUFFORCE), **GROW)
        ct.check_equal(r.fact("after"), r.fact("before"), "buffer")
        refused(r)
        r = run("ct_grow", "plain", rule("setsockopt", error, _2=SO_SNDBUFFORCE), **GROW)
        ct.check(r.fact("after") > r.fact("before"), "FORCE alone refused: the plain call is left")
        ct.check_equal(r.kept.globals["aux_refused"], 0, "FORCE alone refused: no refusal")


def tuning_is_not_capped(r, what):
    """A buffer the host left to auto-tuning may only stay locked at what tuning would reach."""
    limit = int(open("/proc/sys/net/ipv4/tcp_wmem").read().split()[2])
    locked = r.fact("lock") & 1 if r.fact("lock") < 4 else None
    grown = r.fact("after") > r.fact("before")
    ct.check(not grown or locked == 0 or r.fact("after") >= limit,
             f"{what}: {r.fact('before')} -> {r.fact('after')}, lock {locked}, "
             f"tuning would reach {limit}")


@ct.case("kernel_without_buf_lock_never_caps_tuning")
def old_kernel():
    for error in REFUSALS + (errno.ENOPROTOOPT,):
        asked = rule("getsockopt", error, _1=SOL_SOCKET, _2=SO_BUF_LOCK)
        told = rule("setsockopt", error, _1=SOL_SOCKET, _2=SO_BUF_LOCK)
        for rules in ((asked, told), (asked,), (told,)):
            for more in ({}, {"UNSPIN_SNDBUF_MAX": "1m"}):
                r = run("ct_grow", "plain", *rules, **GROW, **more)
                what = f"errno {error}, {len(rules)} rules, {more}"
                if asked not in rules:
                    tuning_is_not_capped(r, what)
                elif r.fact("after") > r.fact("before"):
                    limit = int(open("/proc/sys/net/ipv4/tcp_wmem").read().split()[2])
                    ct.check(r.fact("after") >= limit, f"{what}: grown to {r.fact('after')} only")
                ct.check_equal(r.kept.header.can_unlock, 2, f"{what}: can_unlock")
                if error != errno.ENOPROTOOPT:
                    refused(r)
                # Once known, it stays known, over many looks.
                r = run("ct_grow", "many", *rules, **GROW, **more)
                ct.check_equal(r.kept.header.can_unlock, 2, f"{what}: can_unlock in the end")
    # A size the host fixed was locked before: there is nothing to lose.
    r = run("ct_grow", "fixed_size", asked, told, **GROW)
    ct.check(r.fact("after") > r.fact("before"), "a fixed size was not raised")
    r = run("ct_grow", "fixed_size", asked, told, UNSPIN_OVERRIDE=0, **GROW)
    ct.check_equal(r.fact("after"), r.fact("before"), "override=0, seen by the host's own call")


@ct.case("refused_fcntl_is_no_stall")
def fcntl():
    # Not known to be non-blocking: then nothing is done, and the host sees what it always sees.
    for error in REFUSALS:
        r = run("ct_counts", "eagain", rule("fcntl", error, _1=F_GETFL))
        ct.check_equal(r.kept.total("writes"), r.expects["writes"], "writes")
        ct.check_equal(r.kept.total("eagain_writes"), 0, "stalls on a socket not known")
        refused(r)
        r = run("ct_grow", "for_ever", rule("fcntl", error, _1=F_GETFL), **GROW)
        ct.check_equal(r.fact("after"), r.fact("before"), "buffer")


@ct.case("refused_getsockopt_altogether")
def everything():
    # As memcached does to its workers: the sockets were accepted in our sight, so they are
    # counted. Others cannot be told from files then, and are passed through.
    for error in REFUSALS:
        r = run("ct_counts", "tcp", rule("getsockopt", error))
        ct.compare(r.kept, r.expects)
        refused(r)
        run("ct_counts", "spins", rule("getsockopt", error), **GROW)


# Every other system call the library makes on its own, and what may fail with it. The host (a
# single thread without malloc) uses none of them but through the wrappers.
FILTERED = (errno.EPERM, errno.ENOSYS)
OTHERS = {
    "mmap": (errno.ENOMEM, errno.EPERM),
    "openat": (errno.EACCES, errno.EMFILE, errno.ENOENT, errno.EINTR),
    "mkdirat": (errno.EROFS, errno.EACCES),
    "fallocate": (errno.ENOSPC, errno.EOPNOTSUPP, errno.EINTR),
    "newfstatat": FILTERED, "unlinkat": FILTERED, "getdents64": FILTERED, "kill": FILTERED,
    "prlimit64": FILTERED, "readlinkat": FILTERED, "gettid": FILTERED, "getpid": FILTERED,
    "tgkill": FILTERED, "getrusage": FILTERED, "ppoll": FILTERED, "getsockname": FILTERED,
    "getpeername": FILTERED, "munmap": (errno.EINVAL,), "prctl": FILTERED,
    "fstatfs": FILTERED, "pread64": (errno.EIO,), "ftruncate": (errno.EIO,), "statx": FILTERED,
}


# What the scenario's own connection needs.
HOSTS_OWN = {"responses": ("getsockname",)}


@ct.case("any_other_call_may_fail")
def others():
    for name, errors in OTHERS.items():
        for error in errors:
            for scenario in ("shorts", "spins", "responses"):
                if name in HOSTS_OWN.get(scenario, ()):
                    continue
                r = run("ct_counts", scenario, rule(name, error), UNSPIN_SNDBUF_BUDGET=0, **GROW)
                ct.check("expect writes" in r.out, f"{name} {error}: the host did not end")
                # Without a file the counts are in memory which only the process itself sees.
                if hasattr(r, "kept"):
                    ct.compare(r.kept, r.expects)


@ct.case("without_memory_or_file_the_host_is_served_alike")
def without():
    for name, error in (("mmap", errno.ENOMEM), ("openat", errno.EACCES), ("openat", errno.EMFILE),
                        ("fallocate", errno.ENOSPC), ("mkdirat", errno.EROFS)):
        for helper, scenario in (("ct_grow", "fin"), ("ct_grow", "rst"), ("ct_edge", "brim")):
            r = run(helper, scenario, rule(name, error), **GROW)
            native = subprocess.run([ct.helper(helper), scenario], capture_output=True,
                                    text=True, timeout=20).stdout
            ct.check(scenario == "brim" or r.out == native, f"{name} {scenario}: {r.out!r}")
            ct.check_equal(hasattr(r, "kept"), False, f"{name} {error}: a statistics file")


ct.main()
