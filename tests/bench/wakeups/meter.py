# SPDX-License-Identifier: MIT
"""
What a run of a server cost, and what it and the shim counted.

Context switches and CPU time are of the load's window, from /proc. CPU time is the scheduler's, in
nanoseconds: a host that polls every millisecond wastes less in a window than the ticks of
/proc/PID/stat tell apart. Waits and events are of the server's whole life, which the load fills;
they are the host's own where it counts (also alone), else the shim's.
"""
import collections
import json
import os
import subprocess

import servers


class Usage:
    """Of all living threads of a session's processes: the hosts here end none while they serve."""

    def __init__(self, session):
        self.cpu_s, self.switches = 0.0, 0
        for pid in servers.session_pids(session):
            try:
                for tid in os.listdir(f"/proc/{pid}/task"):
                    self.add(f"/proc/{pid}/task/{tid}/")
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has just ended

    def add(self, task):
        status = servers.read(task + "status")
        self.switches += (servers.field(status, "voluntary_ctxt_switches") +
                          servers.field(status, "nonvoluntary_ctxt_switches"))
        self.cpu_s += int(servers.read(task + "schedstat").split()[0]) / 1e9


def shim_stats(build, server):
    """What `unspin stat` says of every process of the server; [] without the shim."""
    if not server.is_shimmed:
        return []
    env = {k: v for k, v in server.env.items() if k != "LD_PRELOAD"}
    done = subprocess.run([os.path.join(build, "unspin"), "stat", "--json"], env=env,
                          capture_output=True, text=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise servers.Failed(f"unspin stat: {(done.stdout + done.stderr)[-300:]!r}") from None


def keep(path, stats, said):
    """
    For whoever asks whether a policy acted at all: what the shim counted, all processes together,
    without what it never met; its waits thread by thread; and the host's own last words.
    """
    totals = collections.Counter()
    for process in stats:
        totals.update({name: value for name, value in process["totals"].items()
                       if isinstance(value, int)})
    lines = [f"{name} {value}" for name, value in totals.items() if value]
    lines += [f"thread {t['name']} waits {t['waits']} events {t['wait_events']}"
              for process in stats for t in process["threads"] if t["waits"]]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write("\n".join([*lines, f"host {json.dumps(said)}", ""]))


def per_wait(rows):
    """Events per wait of threads or sets together; None where there was no wait."""
    waits = sum(row["waits"] for row in rows)
    return sum(row["events"] for row in rows) / waits if waits else None


def sides_of_shim(stats):
    """The front's and the back's counts as the shim saw them, by the names of the threads."""
    threads = [{"name": t["name"], "waits": t["waits"], "events": t["wait_events"]}
               for process in stats for t in process["threads"]]
    return [[t for t in threads if t["name"].startswith(side)] for side in ("front-", "back-")]


def counted(cell, said, stats, requests):
    """
    Columns from what the host said at its end and what the shim counted; requests: of its life.
    """
    row = {"busiest": None}
    if cell.host == "fanout":
        front, back = said["front"], said["back"]
        row.update(front_events=per_wait(front), back_events=per_wait(back),
                   waits=sum(t["waits"] for t in front + back) / requests)
        if stats:
            row.update(zip(("shim_front_events", "shim_back_events"),
                           map(per_wait, sides_of_shim(stats))))
    elif cell.host == "faulty":
        row.update(waits=said["waits"] / requests if requests else None)
        if cell.is_idle:
            row.update(requests=said["posted"],
                       **{name: said[name] for name in ("late_p50_us", "late_p99_us",
                                                        "late_max_us")})
    elif stats:
        row.update(waits=sum(s["totals"]["waits"] for s in stats) / requests)
    if cell.host == "prefork":
        row["busiest"] = max(said["requests"]) / sum(said["requests"])
    return row
