#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Flags, control data and kinds of sockets that are never gone on with, or only with care."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

SOCKETS = ("udp", "mptcp", "unix", "connecting")  # in tr_sockets, the others in tr_kinds
NEVER = ("zerocopy", "oob", "rights", "udp", "mptcp", "connecting", "sndtimeo")
LIMIT = {"UNSPIN_BLOCK_MAX_MS": 60}  # a wait by mistake would be seen in the times


def helper(name):
    return "tr_sockets" if name in SOCKETS else "tr_kinds"


def never(run, reference):
    ct.check_equal(run.total("retries"), 0, "retries")
    slowest = run.fact("slowest_tenths")
    ct.check(slowest < 300, f"a call that returns at once natively took {slowest / 10} ms")
    if "waited_tenths" in run.facts:
        late = run.median("waited_tenths") - reference.median("waited_tenths")
        ct.check(late < 200, f"SO_SNDTIMEO took {late / 10} ms longer: {run.facts['waited_tenths']}")


def waits_too(run, reference):
    if run.variant == "block" and run.totals:
        ct.check(run.total("blocked_calls") > 0, "it did not wait")


for name in NEVER:
    tr.scene(f"kind_{name}", helper(name), name, judge=never, settings=LIMIT)
for name in ("more", "dontwait", "unix"):
    tr.scene(f"kind_{name}", helper(name), name, judge=waits_too, settings={"UNSPIN_BLOCK_MAX_MS": 5})
# No row is left for the connecting sockets: what is known of them must not come from the row.
tr.scene("kind_connecting_without_rows", "tr_sockets", "connecting", judge=never,
         settings=dict(LIMIT, UNSPIN_STATS_SOCKETS=16))
for name in ("zerocopy", "oob", "rights", "sndtimeo", "connecting"):
    tr.mutant("resend", f"kind_{name}", helper(name), name, judge=never)
tr.main()
