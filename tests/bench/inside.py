# SPDX-License-Identifier: MIT
"""
Runs inside one lab, for one cell: a plan on stdin, one line of JSON per run on stdout.

    {"cell": ID, "place": DIRECTORY, "build": DIRECTORY, "config_def": TEXT, "client": NAME,
     "warmup": SECONDS, "seconds": SECONDS, "explain": DIRECTORY, "runs": [[variant, round], …]}

Round 0 checks the variant's answers byte for byte instead of timing it; when that fails, the
variant is not timed in this lab. What `unspin stat` says at the end of a run of `auto` is kept in
the directory "explain", one file per cell, of its last run.
"""
import datetime
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import cells
import loads
import servers
import variants


def cpu_ticks():
    """Of the whole machine: (all, idle, steal)."""
    counts = [int(word) for word in servers.read("/proc/stat").split("\n")[0].split()[1:9]]
    return sum(counts), counts[3] + counts[4], counts[7]


def percent(part, whole):
    return round(100 * part / whole, 1) if whole else 0


class Bench:
    def __init__(self, plan, cell):
        self.plan, self.cell = plan, cell
        self.build, self.place = plan["build"], plan["place"]
        self.client = os.environ["LAB_CLIENT"].split()
        self.host = os.environ["LAB_SERVER_IP"]
        self.port = 20000  # a new one for each server: no TIME_WAIT of the one before

    def server(self, variant):
        self.port += 1
        shutil.rmtree(os.path.join(self.place, "stats"), ignore_errors=True)
        return servers.Server(self.argv(variant), self.environment(variant), self.place,
                              (self.host, self.port))

    def argv(self, variant):
        return servers.argv(self.build, self.place, self.cell, variant, self.host, self.port)

    def environment(self, variant):
        return servers.environment(self.build, self.place, variant.kind == "shim", variant.settings)

    def load(self, server, on_open):
        return loads.run_load(self.plan["client"], self.build, self.cell, self.client,
                              server.address, self.plan["seconds"], self.plan["warmup"], on_open)

    def after_load(self, server, variant, row):
        """What the server says of itself once the load has ended."""
        if variant.name == "auto" and self.plan["explain"]:
            self.keep(server.explain(self.build))

    def verify(self, variant):
        with self.server(variant) as server:
            loads.settle(self.cell, self.client, server.address, self.place)
            loads.verify(self.build, self.place, self.cell, self.client, server.address)
        return {"errors": 0, "note": "bytes verified"}

    def time(self, variant):
        """A fresh server, one load; figures per response, of the load's window."""
        with self.server(variant) as server:
            loads.settle(self.cell, self.client, server.address, self.place)
            born, at_open = server.usage(), []
            row = self.load(server, lambda: at_open.extend((server.usage(), cpu_ticks())))
            after, ticks, is_alive = server.usage(), cpu_ticks(), server.is_alive()
            if is_alive:
                self.after_load(server, variant, row)
        before, ticks_before = at_open
        ticks = [now - then for now, then in zip(ticks, ticks_before)]
        row.update(idle_pct=percent(ticks[1], ticks[0]), steal_pct=percent(ticks[2], ticks[0]),
                   note=", ".join(filter(None, (row["note"], server.note))))
        responses = row["requests"]
        if not is_alive:
            row["errors"] += 1
            row["note"] = f"the server ended with code {server.process.returncode}"
        elif responses:
            # Threads that ended take their switches with them; only wait4 has all, of a whole life.
            row.update(cpu_ms=(after.cpu_s - before.cpu_s) * 1e3 / responses,
                       writes=(after.writes - before.writes) / responses,
                       switches=(server.life_switches - born.switches) /
                       (row["warm_requests"] + responses))
        return row

    def keep(self, text):
        os.makedirs(self.plan["explain"], exist_ok=True)
        with open(os.path.join(self.plan["explain"], self.cell.id + ".txt"), "w") as f:
            f.write(text)


def run(plan, bench):
    """The runs of the plan, each printed as it ends."""
    by_name = {v.name: v for v in variants.all_variants(plan["config_def"])}
    cell, wrong = bench.cell, {}
    for name, round_ in plan["runs"]:
        row = {"cell": cell.id, "variant": name, "round": round_,
               "when": datetime.datetime.now().isoformat(timespec="seconds")}
        try:
            if name in wrong:
                raise servers.Failed(f"not timed: {wrong[name]}")
            row.update((bench.time if round_ else bench.verify)(by_name[name]))
        except (servers.Failed, OSError, subprocess.SubprocessError) as why:
            if not round_:
                wrong[name] = str(why)
            row.update(errors=1, note=f"failed: {why}")
        print(json.dumps(row), flush=True)


def main():
    plan = json.load(sys.stdin)
    cell = {c.id: c for group in cells.everything().values() for c in group}[plan["cell"]]
    servers.prepare(plan["place"], cell)
    run(plan, Bench(plan, cell))


if __name__ == "__main__":
    main()
