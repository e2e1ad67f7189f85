#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Signal handlers that use the very socket whose write they interrupted, and handlers that jump
out: no hang, and the totals are what the program itself counted."""
import sys

sys.dont_write_bytecode = True
import ct


def compare(r, names):
    wrong = [f"{n} {r.kept.total(n)} (wanted {r.expects[n]})" for n in names
             if r.kept.total(n) != r.expects[n]]
    ct.check(not wrong, f"{'; '.join(wrong)} after {r.facts.get('signals')} signals")


def add(name, **settings):
    @ct.case(f"signals_{name}_{settings.get('mode', 'observe')}")
    def signals():
        r = ct.run("ct_signals", name, **settings).ok()
        compare(r, ("writes", "waits"))
        ct.check(r.fact("signals") > 500, f"only {r.fact('signals')} signals")
        # A stall met while the interrupted code holds the record is counted as contended only.
        stalls = r.kept.total("eagain_writes") + r.kept.total("short_writes")
        ct.check(stalls <= r.fact("stalls") <= stalls + r.kept.globals["contended"],
                 f"stalls {stalls}, contended {r.kept.globals['contended']}, "
                 f"the program saw {r.fact('stalls')}")


add("blocking")
add("stalling")
add("while_opening")
add("stalling", mode="adapt", UNSPIN_WRITE="grow")


@ct.case("signals_longjmp_out_of_blocking_calls")
def out_of_waits():
    r = ct.run("ct_signals", "out_of_waits").ok()
    compare(r, ("writes", "wait_events", "responses"))


@ct.case("signals_longjmp_out_of_anything")
def out_of_anything():
    r = ct.run("ct_signals", "out_of_anything").ok()
    later = sum(r.facts["later"])
    total = r.kept.total("writes") - later
    ct.check(r.fact("signals") > 500, f"only {r.fact('signals')} signals")
    ct.check(r.fact("returned") <= total <= r.fact("begun"),
             f"{total} writes, wanted {r.fact('returned')} to {r.fact('begun')} "
             f"after {r.fact('signals')} jumps")
    ct.check_equal(r.kept.total("eagain_writes"), 5, "refusals after the jumps")
    rows = sum(s.writes for s in r.kept.sockets if s.fd == r.fact("fd") and s.eagain_writes)
    ct.check_equal(rows, later, "writes in the rows of the sockets after the jumps")


ct.main()
