#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Paired throughput of real servers, bare and under the shim in its default mode.

usage: pairs.py [--pairs N] [--slices N] [--seconds S] [--only NAME] [--set KEY=VALUE]...

A pair is two fresh servers, loaded in turn A B B A ... slice by slice (the one not loaded costs
nothing), because on these machines the speed drifts by a third within seconds: only close
neighbours can be compared. A pair's ratio is that of the medians of its slices; printed are every
pair's ratio, then the median and the spread over the pairs. Loopback only. No absolute figure is
a result.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("B", "build"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(port, process):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit("pairs: the server did not start")
            time.sleep(0.02)
    sys.exit("pairs: the server did not answer")


def redis(directory, port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", directory, "--loglevel", "warning"]


def redis_load(pipeline):
    def load(port, seconds):
        requests = int(seconds * (50000 if pipeline == 1 else 600000))
        out = subprocess.run(["redis-benchmark", "-p", str(port), "-P", str(pipeline), "-d", "64",
                              "-n", str(requests), "-t", "get", "--csv"],
                             capture_output=True, text=True, check=True).stdout
        return float(re.search(r'"GET[^"]*","([\d.]+)"', out).group(1))
    return load


def nginx(directory, port):
    with open(directory + "/100", "wb") as f:
        f.write(b"x" * 100)
    with open(directory + "/nginx.conf", "w") as f:
        f.write(f"""daemon off; worker_processes 1; pid {directory}/pid; error_log stderr crit;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; keepalive_requests 10000000;
    client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2;
    fastcgi_temp_path {directory}/t3; uwsgi_temp_path {directory}/t4;
    scgi_temp_path {directory}/t5;
    server {{ listen 127.0.0.1:{port}; root {directory}; }} }}
""")
    return ["nginx", "-e", "stderr", "-c", directory + "/nginx.conf"]


def wrk_load(path, *extra):
    def load(port, seconds):
        out = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", *extra,
                              f"http://127.0.0.1:{port}{path}"],
                             capture_output=True, text=True, check=True).stdout
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return load


CASES = {
    "redis-P1": (redis, redis_load(1), "redis GET 64 B, no pipelining"),
    "redis-P16": (redis, redis_load(16), "redis GET 64 B, pipeline of 16"),
    "nginx-100B": (nginx, wrk_load("/100"), "nginx 100 B file, keep-alive"),
    "nginx-100B-close": (nginx, wrk_load("/100", "-H", "Connection: close"),
                         "nginx 100 B file, one request per connection"),
}


class Server:
    """One fresh server, bare or under the shim; stopped and removed by stop()."""

    def __init__(self, make, shim, settings):
        self.directory = tempfile.mkdtemp(prefix="unspin-pairs-")
        env = dict(os.environ)
        if shim:
            env.update(settings, LD_PRELOAD=BUILD + "/libunspin.so",
                       UNSPIN_STATS_DIR=self.directory + "/s")
        self.port = free_port()
        self.process = subprocess.Popen(make(self.directory, self.port), env=env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_ready(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def measure_pair(make, load, settings, slices, seconds, is_shim_first):
    """The rates of a bare and a shimmed server, fresh, loaded in turn slice by slice."""
    servers = {shim: Server(make, shim, settings) for shim in (False, True)}
    rates = {False: [], True: []}
    try:
        for server in servers.values():
            load(server.port, seconds)  # warm-up
        for i in range(slices):
            order = (True, False) if (i + is_shim_first) % 2 else (False, True)
            for shim in order:
                rates[shim].append(load(servers[shim].port, seconds))
    finally:
        for server in servers.values():
            server.stop()
    return statistics.median(rates[False]), statistics.median(rates[True])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--slices", type=int, default=6, help="loads of each server per pair")
    parser.add_argument("--seconds", type=int, default=1, help="length of one load")
    parser.add_argument("--only", action="append", choices=CASES)
    parser.add_argument("--set", action="append", default=[], help="UNSPIN_ option for the shim")
    options = parser.parse_args()
    settings = dict(("UNSPIN_" + k.upper(), v) for k, v in (s.split("=") for s in options.set))
    for name, (make, load, title) in CASES.items():
        if options.only and name not in options.only:
            continue
        ratios = []
        for i in range(options.pairs):
            bare, shim = measure_pair(make, load, settings, options.slices, options.seconds, i % 2)
            ratios.append(shim / bare)
            print(f"  {name} pair {i + 1}: bare {bare:.0f}/s, shim {shim:.0f}/s, "
                  f"ratio {ratios[-1]:.3f}", flush=True)
        print(f"{title}: median {statistics.median(ratios):.3f} of {len(ratios)} pairs, "
              f"spread {min(ratios):.3f} to {max(ratios):.3f}", flush=True)


if __name__ == "__main__":
    main()
