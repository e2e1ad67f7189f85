#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""An EPOLLOUT left armed costs little, and no registration is ever other than the host's when the
host, in whichever thread, looks: the helpers compare them with /proc/self/fdinfo all the time."""
import errno
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

NATIVE = dict(LD_PRELOAD=None)
AUTO, FORCED = dict(mode="adapt", UNSPIN_WAKE="auto"), dict(mode="adapt", UNSPIN_WAKE="mask")
OFF = (dict(mode="adapt", UNSPIN_WAKE="off"), dict(mode="adapt", UNSPIN_WAKE="stretch"),
       dict(mode="observe", UNSPIN_WAKE="mask"))
# Waits as long as they may be: what is wrongly kept waiting, or masked, shows. No growth: full is full.
LONG_US = 5000
LONG = dict(FORCED, UNSPIN_STRETCH_MAX_US=LONG_US, UNSPIN_WRITE="off")


def run(scenario, *args, helper="ct_mask", **settings):
    r = ct.run(helper, scenario, *args, **settings).ok()
    for name, value in r.expects.items():
        if "LD_PRELOAD" not in settings:
            ct.check_equal(r.kept.total(name), value, f"{name} with {settings}")
    return r


def was_masked(r):
    return r.kept.total("masked_waits") > 0


def decisions(r):
    names = ct.layout().names
    return [(names["strategy"][d.strategy], names["reason"][d.reason]) for d in r.kept.decisions]


@ct.case("mask_idle_reactor_costs_a_tenth")
def idle():
    native = run("idle", **NATIVE)
    # A wake-up from sleep costs 3 us on some machines and 50 on others (a virtual processor that was
    # given back): with the default bound that is up to a tenth by itself, whatever the shim does.
    for settings, share in ((AUTO, 5), (dict(AUTO, UNSPIN_STRETCH_MAX_US=2000), 10),
                            (dict(FORCED, UNSPIN_STRETCH_MAX_US=2000), 10)):
        r = run("idle", **settings)
        ct.check(r.fact("cpu_us") * share < native.fact("cpu_us"),
                 f"{settings}: {r.fact('cpu_us')} us, natively {native.fact('cpu_us')}")
        ct.check_equal(decisions(r), [("MASK", "MASK_UNUSED")], "decisions")
        kept = r.kept
        row = kept.epolls[0]
        ct.check(row.masked_waits == kept.total("masked_waits") <= row.idle_outs <= row.waits,
                 f"{dict(row)}")
        ct.check(kept.total("masked_ns") > 200_000_000, f"{kept.totals}")


@ct.case("mask_several_sockets_and_full_arrays")
def several():
    for scenario in (("idle", "8"), ("idle", "8", "change"), ("idle_full_arrays",)):
        native = run(*scenario, **NATIVE)
        r = run(*scenario, **dict(FORCED, UNSPIN_STRETCH_MAX_US=LONG_US))
        ct.check(r.fact("cpu_us") * 5 < native.fact("cpu_us"),
                 f"{scenario}: {r.fact('cpu_us')} us, natively {native.fact('cpu_us')}")
        ct.check(r.kept.total("masked_waits") > 0, f"{scenario}: {r.kept.totals}")
        if scenario == ("idle", "8"):  # no registration need be changed
            ct.check_equal(r.kept.total("masks"), 0, "masks")
        else:
            ct.check(r.kept.total("masks") > 4 * r.kept.total("masked_waits"), f"{r.kept.totals}")


@ct.case("mask_more_sockets_than_are_worth_it_are_left_alone")
def too_many():
    r = run("idle", "70", **FORCED)
    ct.check_equal((r.kept.total("masked_waits"), decisions(r)), (0, []), "masked_waits")


@ct.case("mask_off_changes_nothing")
def off():
    for settings in OFF:
        r = run("idle", **settings)
        ct.check_equal((r.kept.total("masks"), r.kept.total("masked_waits")), (0, 0), f"{settings}")
        ct.check(r.kept.epolls[0].idle_outs > 1000, "idle out-rounds are counted all the same")
        ct.check_equal(run("stalled", helper="ct_mask_others", **settings).fact("seen"), 0, "seen")


def not_late(scenario):
    @ct.case(f"mask_answers_{scenario}_are_not_late")
    def late():
        r = run(*scenario.split("_of_"), **LONG)
        ct.check(was_masked(r), "nothing was masked")
        # Seen: 35 to 180 us, natively 31 to 41.
        ct.check(r.fact("median_us") < LONG_US / 5, f"{scenario}: {r.fact('median_us')} us")


# The number is how many events the host takes per wait.
for name in ("directly", "on_out", "proxy", "signalled", "directly_of_2", "proxy_of_1",
             "directly_of_64_of_change", "proxy_of_64_of_change"):
    not_late(name)


@ct.case("mask_flag_waits_no_longer_than_the_bound")
def flag():
    r = run("flag", **FORCED)
    ct.check(was_masked(r), "nothing was masked")
    ct.check(r.fact("median_us") < 1000, f"a flag waits {r.fact('median_us')} us")


@ct.case("mask_jump_out_of_a_wait_leaves_nothing_behind")
def jumps():
    r = run("jumps", "0", "change", **LONG)
    ct.check(r.fact("left_masked") > 0, "no jump left a wait that was masked")
    r = run("jumps", **LONG)
    ct.check(was_masked(r) and not r.fact("left_masked"), "a registration was changed")
    ct.check_equal(run("jumps", **NATIVE).fact("left_masked"), 0, "natively")


def untreated(scenario):
    @ct.case(f"mask_{scenario}_is_left_alone")
    def alone():
        for settings in (LONG, AUTO):
            ct.check(run(scenario, helper="ct_mask_alone", **settings).expects,
                     "the helper says nothing")


for name in ("untouched", "not_idle", "on_cancel", "forked"):
    untreated(name)


@ct.case("mask_writes_we_do_not_see_are_not_held_up")
def unseen():
    r = run("unseen", helper="ct_mask_alone", **FORCED)
    # Of 20 000. Seen: 3 and 4; 2 663 without the look at TCP_INFO.
    ct.check(r.kept.total("masked_waits") < 100, f"{r.kept.total('masked_waits')} waits were held")


@ct.case("mask_edges_and_oneshots_come_once")
def mixed():
    for args in ((), ("1",), ("3",)):
        run("mixed", *args, **NATIVE)
        for settings in (LONG, AUTO):
            ct.check(was_masked(run("mixed", *args, **settings)), "nothing was masked")


def others(scenario, least):
    @ct.case(f"mask_{scenario}_by_another_thread_is_in_force_at_once")
    def at_once():
        ct.check_equal(run(scenario, helper="ct_mask_others", **NATIVE).fact("seen"), 0, "natively")
        r = run(scenario, helper="ct_mask_others", **LONG)
        ct.check(r.fact("seen") >= least, f"the wait was masked {r.fact('seen')} times")
        ct.check_equal(r.kept.globals["odd_events"], 0, "odd events")
        if scenario == "two_wait":
            ct.check_equal(r.fact("masked_at_the_end"), 0, "masked with two waiting")


# After the last four the set is left alone, by rule; the others are masked again each time (seen: 4 to
# 13 times).
for name in ("modified", "waited_by_copy", "unregistered", "reused", "stalled", "stalled_on_copy",
             "twice", "timed", "crowd"):
    others(name, 2)
for name in ("modified_by_copy", "closed_copy", "two_wait", "forked"):
    others(name, 1)


def number(name):
    out = subprocess.run([ct.CC, "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                         text=True, capture_output=True, check=True).stdout
    return re.search(rf"#define __NR_{name} (\d+)", out).group(1)


# The set is known: no registration is changed, and what others do is not undone or held up for long.
def known(scenario):
    @ct.case(f"mask_{scenario}_by_another_thread_in_a_known_set")
    def at_once():
        r = run(scenario, "known", helper="ct_mask_others", **LONG)
        ct.check(was_masked(r), "nothing was kept waiting")
        ct.check_equal((r.fact("seen"), r.kept.globals["odd_events"]), (0, 0), "seen, odd events")


for name in ("modified", "modified_by_copy", "waited_by_copy", "unregistered", "closed_copy", "stalled",
             "stalled_on_copy", "twice", "timed", "forked"):
    known(name)


@ct.case("mask_refused_calls_switch_it_off")
def refused():
    for error in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        for call in (f"{number('epoll_ctl')},1=3", number("ppoll"), f"{number('getsockopt')},1=6,2=11"):
            # With ppoll refused nothing is kept waiting; the others only where registrations change.
            r = run("idle", "1", "change", CT_FILTER=f"{call}:{error}", **FORCED)
            if "no_seccomp" in r.facts:
                raise ct.Skip("no seccomp filters here")
            kept = r.kept
            ct.check(kept.total("masks") <= 16, f"{call}: masked {kept.total('masks')} times")
            ct.check(kept.total("masked_ns") < 10_000_000, f"{call}: {kept.totals}")
            ct.check(kept.globals["aux_refused"] >= 1, f"{call}: not in aux_refused")


ct.main()
