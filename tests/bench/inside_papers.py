# SPDX-License-Identifier: MIT
"""Like inside.py, for the cells of the papers' figures; the plan has "capacity" besides."""
import json
import os
import resource
import sys
import urllib.request

sys.dont_write_bytecode = True
import figs
import inside
import loads
import profiler
import servers
import sessions

STATS_S = 5


def own_figures(address):
    """What the reactor counted in its life, per answer or request; nothing if it does not say."""
    try:
        with urllib.request.urlopen("http://%s:%d/stats" % address, timeout=STATS_S) as answer:
            said = json.load(answer)
    except (OSError, ValueError):
        return {}
    if not said["responses"] or not said["requests"]:
        return {}
    return {"own_writes": said["writes"] / said["responses"],
            "stalls": said["stalls"] / said["responses"],
            "voluntary": said["this_copy"]["voluntary_switches"] / said["requests"],
            "handovers": (said["dispatches"] + said["posts"]) / said["requests"]}


def without_refusals(row):
    """A stage that sheds load does its work: what it refuses is no answer, and no error."""
    answers = max(0, row["requests"] - row["refused"])
    return {**row, "rps": row["rps"] * answers / row["requests"] if row["requests"] else 0,
            "requests": answers, "refused": row["errors"], "errors": 0}


def with_resets_refused(row):
    """The same of sessions, whose answers are counted without refusals already."""
    return {**row, "refused": row["refused"] + row["errors"], "errors": 0}


class Bench(inside.Bench):
    def __init__(self, plan, cell):
        super().__init__(plan, cell)
        self.client = [*self.client, *cell.client_argv()]

    def argv(self, variant):
        return self.cell.server_argv(os.path.join(self.build, "reactor"), self.host, self.port,
                                     sessions.root(self.place))

    def verify(self, variant):
        if not self.cell.has_files:
            return super().verify(variant)
        with self.server(variant) as server:
            sessions.verify(self.build, self.place, self.client, server.address)
        return {"errors": 0, "note": "bytes verified"}

    def load(self, server, on_open):
        if not self.cell.tool:
            return self.plain_load(server, on_open)
        watcher = profiler.Profiler(self.cell.tool, self.place)
        watcher.start(server.process.pid)
        row = self.plain_load(server, on_open)
        return {**row, **watcher.stop()}

    def plain_load(self, server, on_open):
        cell, seconds = self.cell, self.plan["seconds"]
        if cell.client == "httperf":
            rate = cell.load * self.plan["capacity"] / sessions.REQUESTS
            row = sessions.run_open(self.place, self.client, server.address, rate, seconds, on_open)
            return with_resets_refused(row) if cell.arch == "seda" else row
        if cell.client == "wrk-files":
            return sessions.run_closed(self.place, self.client, cell, server.address, seconds,
                                       on_open)
        row = loads.run_load(cell.client, self.build, cell, self.client, server.address, seconds,
                             self.plan["warmup"], on_open)
        return without_refusals(row) if cell.arch == "seda" else row

    def after_load(self, server, variant, row):
        row.update(own_figures(server.address))


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # thousands of connections
    plan = json.load(sys.stdin)
    cell = figs.cells_by_id()[plan["cell"]]
    if cell.has_files:
        sessions.write_files(plan["place"])
    inside.run(plan, Bench(plan, cell))


if __name__ == "__main__":
    main()
