# SPDX-License-Identifier: MIT
"""One run: a fresh server, its byte check or its load, and a row of the raw data."""
import datetime
import os
import subprocess
import time

import hosts
import inside
import loads
import meter
import servers

COLUMNS = {
    "cell": str, "variant": str,
    "round": int,         # 0: the byte check, not timed
    "when": str,
    "seconds": float,     # of the window
    "requests": int,      # answered in it; of a host nobody asks, work handed over in its life
    "rps": float,
    "p50_ms": float, "p99_ms": float,
    "cpu_cores": float,   # of the server, seconds per second of the window
    "cpu_ms": float,      # … per request
    "switches": float,    # per request, of the window
    "waits": float,       # per request, as all that follow of the server's life
    "front_events": float, "back_events": float,            # per wait, by the host
    "shim_front_events": float, "shim_back_events": float,  # … by the shim
    "busiest": float,     # share of the requests that the busiest worker answered
    "late_p50_us": float, "late_p99_us": float, "late_max_us": float,  # of work handed over
    "errors": int,
    "idle_pct": float, "steal_pct": float,  # of the whole machine's CPU time
    "note": str,
}


class Bench:
    """
    One cell's runs. shard_ports: of what runs behind the server; explain: directory that keeps
    what the shim and the host counted in the last run of each variant.
    """

    def __init__(self, build, place, cell, shard_ports, explain):
        self.build, self.place, self.cell, self.shard_ports = build, place, cell, shard_ports
        self.explain = explain

    def server(self, variant):
        return hosts.Host(self.build, self.place, self.cell, variant, self.shard_ports)

    def verify(self, variant):
        with self.server(variant) as server:
            hosts.verify(self.build, self.place, self.cell, server.port)
        return {"errors": 0, "note": "bytes verified"}

    def time(self, variant, seconds, warmup):
        with self.server(variant) as server:
            def look():
                return meter.Usage(server.process.pid), inside.cpu_ticks(), time.monotonic()
            looks = []
            text = loads.run_client(hosts.load_argv(self.build, self.cell, server.port, seconds,
                                                    warmup),
                                    seconds + warmup, lambda: looks.append(look()))
            looks.append(look())
            if not server.is_alive():
                raise servers.Failed(f"the server ended: {servers.read(server.log_path)[-300:]!r}")
            row = hosts.parse_load(self.cell, text, seconds)
            stats = meter.shim_stats(self.build, server)
        row.update(seconds=seconds, **used(row["requests"], *looks))
        said = hosts.last_words(server)
        meter.keep(os.path.join(self.explain, f"{self.cell.id}-{variant.name}"), stats, said)
        row.update(meter.counted(self.cell, said, stats, row["requests"] + row["warm_requests"]))
        row["note"] = ", ".join(filter(None, (row["note"], server.note)))
        return row

    def run(self, variant, round_, seconds, warmup):
        row = {"cell": self.cell.id, "variant": variant.name, "round": round_,
               "when": datetime.datetime.now().isoformat(timespec="seconds")}
        try:
            row.update(self.time(variant, seconds, warmup) if round_ else self.verify(variant))
        except (servers.Failed, OSError, KeyError, subprocess.SubprocessError) as why:
            row.update(errors=1, note=f"failed: {why!r}")
        return row


def used(requests, before, after):
    (usage, ticks, at), (usage_after, ticks_after, at_after) = before, after
    ticks = [now - then for now, then in zip(ticks_after, ticks)]
    cpu_s, switches = usage_after.cpu_s - usage.cpu_s, usage_after.switches - usage.switches
    return {"cpu_cores": cpu_s / (at_after - at),
            "cpu_ms": cpu_s * 1e3 / requests if requests else None,
            "switches": switches / requests if requests else None,
            "idle_pct": inside.percent(ticks[1], ticks[0]),
            "steal_pct": inside.percent(ticks[2], ticks[0])}
