#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Provoke 23, see 23: a program whose socket calls are known to the last one
(tests/helpers/it_known.c), and every total it must have. A total that a case does not name must
be 0: detectors are shown to fire, and not to fire.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import HELPERS, Failed, Suite, box, environment, equal, run, stats_of_all, true

PROGRAM = os.path.join(HELPERS, "it_known")

NOT_PROVOKED = 3  # exit code: the machine did not play along, try again

# Times, and how often they were taken, are the machine's.
NOT_KNOWN = {"drain_ns", "drains", "trip_ns", "trips", "globals"}

TOTALS = {
    # 23 times: filled, one write refused, drained, poll, one byte.
    "stalls": {"accepts": 1, "writes": 46, "write_bytes": 23, "eagain_writes": 23, "resumes": 23,
               "waits": 23, "wait_events": 23},
    "stalls_unix": {"writes": 46, "write_bytes": 23, "eagain_writes": 23, "resumes": 23,
                    "waits": 23, "wait_events": 23},
    # 23 tries in a row: a stall and 22 more.
    "spins": {"accepts": 1, "writes": 23, "eagain_writes": 23, "spin_episodes": 1,
              "spin_writes": 22, "spinners": 1},
    # 5 times 4 tries, then a pause in which the buffer drains, then a byte.
    "episodes": {"accepts": 1, "writes": 25, "write_bytes": 5, "eagain_writes": 20,
                 "spin_episodes": 5, "spin_writes": 15, "resumes": 5},
    "tries_15": {"accepts": 1, "writes": 15, "eagain_writes": 15, "spin_episodes": 1,
                 "spin_writes": 14},
    "tries_16": {"accepts": 1, "writes": 16, "eagain_writes": 16, "spin_episodes": 1,
                 "spin_writes": 15, "spinners": 1},
    "sleeps": {"accepts": 1, "writes": 9, "eagain_writes": 9, "resumes": 8},
    "shorts": {"accepts": 1, "writes": 7, "short_writes": 7, "resumes": 6, "waits": 7,
               "wait_events": 7},
    "timeouts": {"accepts": 1, "writes": 3},
    "dont_wait": {"accepts": 1, "writes": 2, "eagain_writes": 2, "spin_episodes": 1,
                  "spin_writes": 1},
    # 9 functions, 3 times 100 bytes each.
    "functions": {"accepts": 1, "writes": 27, "write_bytes": 2700},
    # sendfile beyond the file's end, splice from an empty pipe; then a file larger than the buffer.
    "file_end": {"accepts": 1, "writes": 7, "write_bytes": 400},
    "file_middle": {"accepts": 1, "writes": 2, "short_writes": 1, "eagain_writes": 1, "resumes": 1},
    "responses": {"accepts": 1, "writes": 33, "write_bytes": 3 * 300 + 8 * 600, "reads": 11,
                  "read_bytes": 110, "responses": 11},
    "idle": {"accepts": 1, "waits": 24, "empty_waits": 24, "idle_polls": 23},
    "ticks": {"accepts": 1, "waits": 5, "empty_waits": 5},
    "polls": {"accepts": 1, "waits": 12, "empty_waits": 6, "wait_events": 6, "reads": 6,
              "read_bytes": 60},
    "unused_out": {"accepts": 1, "waits": 11, "wait_events": 11, "unused_out": 9, "writes": 2,
                   "write_bytes": 2},
    "hang_up": {"accepts": 1, "waits": 5, "wait_events": 5},
    "dry": {"accepts": 1, "waits": 4, "wait_events": 4, "dry_in": 4, "reads": 4},
    "herd": {"accepts": 1, "waits": 3, "wait_events": 3, "herd_accepts": 3},
    "threads": {"accepts": 1, "threads_started": 6, "threads_ended": 6},
    "shared": {"accepts": 1, "threads_started": 8, "threads_ended": 8, "writes": 800,
               "write_bytes": 800},
}

# What the connection's own row says beyond its share of the totals.
ROWS = {
    "stalls": {"spins_max": 0, "kind": "tcp", "state": "open"},
    "stalls_unix": {"kind": "unix"},
    "spins": {"spins_max": 23},
    "episodes": {"spins_max": 4},
    "tries_15": {"spins_max": 15},
    "sleeps": {"spins_max": 0},
    "responses": {"responses": 11, "response_bytes_p50": 600, "state": "closed"},
    "unused_out": {"unused_out": 9},
    "dry": {"dry_in": 4},
}


def run_case(case, settings):
    """The totals and the connection's row; what the program printed."""
    for _ in range(20):
        stats_dir = box.file("stats")
        done = run([PROGRAM, case], env=environment(settings, stats_dir))
        if done.returncode != NOT_PROVOKED:
            break
    if done.returncode:
        raise Failed("it_known %s: exit code %d, %s" % (case, done.returncode, done.stderr))
    equal("stderr", done.stderr, b"")
    (stats,) = stats_of_all(stats_dir).values()
    rows = [row for row in stats["sockets"] if not row["is_listener"]]
    equal("rows of connections", len(rows), 1)
    return stats["totals"], rows[0], done.stdout.decode()


def case_is_counted(case):
    totals, row, said = run_case(case, {"MODE": "observe"})
    seen = {name: value for name, value in totals.items() if value and name not in NOT_KNOWN}
    # What only the program itself knows, it has said.
    equal("totals", seen, dict(TOTALS[case], **json.loads(said or "{}")))
    for name, value in ROWS.get(case, {}).items():
        equal("the connection's " + name, row[name], value)
    for name in ("writes", "write_bytes", "eagain_writes", "short_writes", "resumes",
                 "spin_episodes", "spin_writes"):
        # 8 threads in the same row at once may lose a count there (stats_layout.h), never in
        # the totals.
        if case != "shared":
            equal("the connection's " + name, row[name], totals[name])


def spinner_is_grown():
    """
    The third fruitless try raises the buffer, and is gone on with in the call: the program sees
    it succeed. The numbers are the kernel's.
    """
    totals, row, said = run_case("growth", {})
    host = json.loads(said)
    equal("tries the kernel refused", totals["eagain_writes"], 3)
    equal("retries and what they sent", (totals["retries"], totals["retry_bytes"]), (1, 1))
    equal("calls finished", (totals["finished_calls"], row["finished_calls"]), (1, 1))
    equal("refused tries the program saw", host["refused"],
          totals["eagain_writes"] - totals["finished_calls"])
    equal("writes and bytes the program made", (totals["writes"], totals["write_bytes"]),
          (host["refused"] + 1, 1))
    equal("sndbuf_now", row["sndbuf_now"], host["sndbuf"])
    equal("sndbuf_start", row["sndbuf_start"], 32768)
    equal("strategy and reason", (row["strategy"], row["reason"]), ("grow", "grew_spin"))
    equal("growths", (totals["grown_sockets"], totals["growths"], row["growths"]), (1, 1, 1))
    # All but the first: each came right after a fruitless one, the retry inside the last does not count.
    equal("spin_writes", totals["spin_writes"], totals["writes"] - 1)
    equal("sndbuf_budget_used", totals["globals"]["sndbuf_budget_used"],
          row["sndbuf_now"] - row["sndbuf_start"])


def trips_leave_out_other_waits():
    """The 40 ms in which the thread waited for others are no cost of the stall's."""
    totals, _, _ = run_case("trips", {"MODE": "observe"})
    equal("trips", (totals["trips"], totals["resumes"], totals["eagain_writes"]), (5, 5, 5))
    mean = totals["trip_ns"] / totals["trips"]
    # The helper drains in between: 0.9 ms seen, 3 on a busy machine; 40 when the waits count.
    true("a trip took %.1f ms" % (mean / 1e6), 0 < mean < 20e6)


def stalling_reactor_is_a_reactor():
    """The role, inferred while nearly all waits are clocked because of stalls."""
    stats_dir = box.file("stats")
    done = run([PROGRAM, "roles"], env=environment({"MODE": "observe"}, stats_dir))
    equal("exit code", done.returncode, 0)
    (stats,) = stats_of_all(stats_dir).values()
    equal("roles", [thread["role"] for thread in stats["threads"]], ["reactor"])
    true("not many stalls: %d" % stats["totals"]["short_writes"],
         stats["totals"]["short_writes"] + stats["totals"]["eagain_writes"] >= 300)


suite = Suite()
for name in TOTALS:
    suite.run("%s_are_counted_exactly" % name, case_is_counted, name)
suite.run("spinner_is_grown_and_shown", spinner_is_grown)
suite.run("trips_leave_out_other_waits", trips_leave_out_other_waits)
suite.run("stalling_reactor_is_a_reactor", stalling_reactor_is_a_reactor)
suite.end()
