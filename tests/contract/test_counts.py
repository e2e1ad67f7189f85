#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts are exact: what a program provokes is what the statistics say, no more and no less."""
import sys

sys.dont_write_bytecode = True
import ct


CALLS = ("responses", "functions", "receivers")


def add(name, more=None, **settings):
    @ct.case(f"counts_{name}_{settings.get('mode', 'observe')}")
    def counts():
        program = "ct_calls" if name in CALLS else "ct_counts"
        r = ct.run_expecting(program, name, **settings)
        if "spins_max" in r.facts:
            ct.check_equal(r.kept.socket(r.fact("fd")).spins_max, r.fact("spins_max"), "spins_max")
        if more:
            more(r)


def sizes(r):
    row = r.kept.socket(r.fact("fd"))
    ct.check_equal(sorted(row.response_bytes), sorted(r.facts["size"]), "sizes of responses")
    ct.check_equal(row.responses, 9, "responses of the socket")


def rows_agree(r):
    """What is counted per socket adds up to the totals (nothing was closed in between)."""
    for name in ("writes", "write_bytes", "eagain_writes", "short_writes", "spin_episodes",
                 "spin_writes", "resumes", "reads", "read_bytes"):
        ct.check_equal(sum(s[name] for s in r.kept.sockets), r.kept.total(name),
                       f"sum of the sockets' {name}")


add("eagain", rows_agree)
add("shorts", rows_agree)
add("tcp", rows_agree)
add("sendfiles", rows_agree)
add("spins", rows_agree)
add("no_spinner")
add("edge_host", rows_agree)
add("resumes", rows_agree)
add("sleeps")
add("other_thread")
add("two_sockets")
add("not_stalls")
add("dontwait")
add("responses", sizes)
add("functions", rows_agree)
add("receivers", rows_agree)
# Where no buffer may be raised, acting changes none of the counts.
for name in ("eagain", "shorts", "spins", "resumes", "other_thread"):
    add(name, mode="adapt", UNSPIN_WRITE="grow", UNSPIN_SNDBUF_BUDGET=0)

ct.main()
