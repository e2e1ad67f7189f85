#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Descriptors that end, or become another client's, while a write on them waits.

FIN and the call's end: what the peer or the caller sees may come at most 5 ms later than bare
(medians of several rounds; a slice of the wait is 1 ms).
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

REUSES = ("close", "dup2", "close_range", "raw")
ENDS = ("end_close", "end_dup2", "end_close_range", "end_shut_wr", "end_shut_rdwr", "end_linger")
LATEST = 50  # tenths of ms
ROUNDS = 4


def in_time(run, reference):
    for fact in ("fin_tenths", "end_tenths"):
        late = run.median(fact) - reference.median(fact)
        ct.check(late <= LATEST, f"{fact} {late / 10} ms later than bare: {run.facts[fact]}")
    if run.variant in tr.WAITING and run.totals:
        ct.check(sum(run.facts["waiting"]) >= ROUNDS / 2,
                 f"it did not wait, so nothing was tested: {run.facts['waiting']}")


def was_held(run, reference):
    if run.variant in ("spin", "block"):
        ct.check(run.facts.get("held") == [1], "the writer was not caught at a retry")


for method in REUSES + ENDS:
    tr.scene(f"reuse_{method}", "tr_reuse", method, ROUNDS, "write", judge=in_time)
for op in ("writev", "send", "sendmsg", "sendfile"):
    tr.scene(f"reuse_close_{op}", "tr_reuse", "close", ROUNDS // 2, op, judge=in_time,
             variants=("block",))
for op in ("write", "sendfile"):
    # Held in the retry: forced, because warming up would be held too.
    tr.scene(f"race_sending_{op}", "tr_race", "sending", op, judge=was_held,
             variants=("spin", "block"))
    tr.scene(f"race_closing_{op}", "tr_race", "closing", op, variants=("spin", "block"))
    tr.scene(f"race_handler_{op}", "tr_race", "handler", op, judge=was_held,
             variants=("spin", "block"))
for method in REUSES:
    tr.mutant("by_number", f"reuse_{method}", "tr_reuse", method, ROUNDS, "write", judge=in_time)
for method in ("end_close", "end_dup2", "end_close_range"):
    tr.mutant("keeps_socket", f"reuse_{method}", "tr_reuse", method, ROUNDS, "write", judge=in_time)
# A poll holds the socket too; a peer that reads would wake it.
tr.mutant("long_wait", "reuse_end_linger", "tr_reuse", "end_linger", ROUNDS, "write", judge=in_time)
# shutdown needs no last holder: there the call is late.
for method in ("end_shut_wr", "end_shut_rdwr"):
    tr.mutant("ignores_eintr", f"reuse_{method}", "tr_reuse", method, ROUNDS, "write", judge=in_time)
for scene in ("sending", "closing", "handler"):
    tr.mutant("unguarded", f"race_{scene}", "tr_race", scene, "write")
tr.main()
