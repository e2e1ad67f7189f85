#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The spinning single-threaded server over a real round trip, bare and under the shim.

usage: growth.py [--rounds N]

One lab per run, A B A B ..., cubic, 5 ms round trip, 1 MB responses. With keep-alive and the
kernel's default buffers the bare server is slow only until auto-tuning has grown the buffer of
each connection (its first response), so runs of 3 s from cold and of 12 s are both shown, and
one request per connection, where it never gets that far.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("B", "build"))
CASES = [
    ("default buffer, 100 connections, first 3 s", 0, 100, 3, "", 20),
    ("default buffer, 100 connections, 12 s", 0, 100, 12, "", None),
    ("default buffer, 100 connections, one request each, 4 s", 0, 100, 4, "Connection: close", None),
    ("fixed 16 KB buffer, 50 connections, 4 s", 16384, 50, 4, "", 100),
]
INSIDE = """
{build}/reactor --arch single --host $LAB_SERVER_IP --port 8080 --sndbuf {sndbuf} >/dev/null &
unset LD_PRELOAD
sleep 0.3
$LAB_CLIENT wrk -t1 -c{conns} -d{seconds}s --timeout 60s {header} \
    http://$LAB_SERVER_IP:8080/bytes/1000000
"""


def run(case, shim, stats_dir):
    _, sndbuf, conns, seconds, header, _ = case
    env = dict(os.environ, UNSPIN_STATS_DIR=stats_dir)
    script = INSIDE.format(build=BUILD, sndbuf=sndbuf, conns=conns, seconds=seconds,
                           header=f"-H '{header}'" if header else "")
    if shim:
        script = f"export LD_PRELOAD={BUILD}/libunspin.so\n" + script
    out = subprocess.run([BUILD + "/lab", "--rtt-us", "5000", "--cc", "cubic", "--", "bash", "-c",
                          script], env=env, capture_output=True, text=True).stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    failed = False
    print(f"single, 1 MB, 5 ms, cubic; requests per second, medians of {rounds} interleaved runs\n")
    print(f"{'':<56}{'bare':>8}{'shim':>8}{'ratio':>8}  {'spread of ratios':<18}expected")
    with tempfile.TemporaryDirectory() as stats_dir:
        for case in CASES:
            bare, shim = [], []
            for i in range(rounds):
                for is_shim in (False, True) if i % 2 == 0 else (True, False):
                    (shim if is_shim else bare).append(run(case, is_shim, stats_dir))
            ratios = sorted(s / b for s, b in zip(shim, bare))
            ratio = statistics.median(ratios)
            expected = case[5]
            verdict = "" if expected is None else f">= {expected}: " + \
                ("met" if ratio >= expected else "MISSED")
            failed |= expected is not None and ratio < expected
            print(f"{case[0]:<56}{statistics.median(bare):>8.1f}{statistics.median(shim):>8.1f}"
                  f"{ratio:>7.1f}x  {ratios[0]:>6.1f} to {ratios[-1]:<7.1f}  {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
