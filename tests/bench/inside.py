# SPDX-License-Identifier: MIT
"""
Runs inside one lab, for one cell: a plan on stdin, one line of JSON per run on stdout.

    {"cell": ID, "place": DIRECTORY, "build": DIRECTORY, "config_def": TEXT, "warmup": SECONDS,
     "seconds": SECONDS, "runs": [[variant, round], …]}

Round 0 checks the variant's answers byte for byte instead of timing it; when that fails, the
variant is not timed in this lab.
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
        return servers.Server(self.build, self.place, self.cell, variant, self.host, self.port)

    def verify(self, variant):
        with self.server(variant) as server:
            loads.settle(self.cell, self.client, server.address, self.place)
            loads.verify(self.build, self.place, self.cell, self.client, server.address)
        return {"errors": 0, "note": "bytes verified"}

    def time(self, variant):
        """A fresh server, perhaps a warm-up, one load; figures per response."""
        with self.server(variant) as server:
            loads.settle(self.cell, self.client, server.address, self.place)
            born, early = server.usage(), 0
            if self.plan["warmup"]:
                early = self.load(server, self.plan["warmup"])["requests"]
            before, ticks = server.usage(), cpu_ticks()
            row = self.load(server, self.plan["seconds"])
            ticks = [now - then for now, then in zip(cpu_ticks(), ticks)]
            after, is_alive = server.usage(), server.is_alive()
        row.update(idle_pct=percent(ticks[1], ticks[0]), steal_pct=percent(ticks[2], ticks[0]),
                   note=server.note)
        responses = row["requests"]
        if not is_alive:
            row["errors"] += 1
            row["note"] = f"the server ended with code {server.process.returncode}"
        elif responses:
            # Threads that ended take their switches with them; only wait4 has all, of a whole life.
            row.update(cpu_ms=(after.cpu_s - before.cpu_s) * 1e3 / responses,
                       writes=(after.writes - before.writes) / responses,
                       switches=(server.life_switches - born.switches) / (early + responses))
        return row

    def load(self, server, seconds):
        return loads.run_load(self.cell, self.client, server.address, seconds)


def main():
    plan = json.load(sys.stdin)
    cell = {c.id: c for group in cells.everything().values() for c in group}[plan["cell"]]
    by_name = {v.name: v for v in variants.all_variants(plan["config_def"])}
    servers.prepare(plan["place"], cell)
    bench, wrong = Bench(plan, cell), {}
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


if __name__ == "__main__":
    main()
