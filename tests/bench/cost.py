#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Instructions the shim adds to one wrapped call, counted by callgrind (steady on any machine).

usage: cost.py BUILD_DIR            prints a table; exit 1 when a budget is exceeded
"""
import os
import re
import subprocess
import sys
import tempfile

CALLS = 1000
# operation, budget in instructions (None: shown only)
OPERATIONS = [("write", 60), ("send", 60), ("writev", 85), ("read", 60),
              ("write-file", 25), ("read-file", 25), ("epoll_wait", None)]
SOCKETS = (10, 10000)


def instructions_in(path, object_name):
    """Self cost of all functions of one object in a callgrind output file."""
    names, total, current, skip = {}, 0, "", False
    for line in open(path):
        line = line.rstrip("\n")
        match = re.match(r"ob=\((\d+)\)(?: (.*))?$", line)
        if match:
            if match.group(2):
                names[match.group(1)] = match.group(2)
            current = names.get(match.group(1), "")
        elif re.match(r"cob=\((\d+)\) (.*)$", line):
            match = re.match(r"cob=\((\d+)\) (.*)$", line)
            names[match.group(1)] = match.group(2)
        elif line.startswith("calls="):
            skip = True  # the next line is the callee's inclusive cost
        elif re.match(r"[+\-*\d]", line):
            if skip:
                skip = False
            elif os.path.basename(current) == object_name:
                total += int(line.split()[1])
    return total


def measure(build, operation, sockets):
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "out")
        env = dict(os.environ, LD_PRELOAD=os.path.abspath(build + "/libunspin.so"),
                   UNSPIN_STATS_DIR=tmp)
        subprocess.run(["valgrind", "--tool=callgrind", "-q", "--collect-atstart=no",
                        "--toggle-collect=measured", "--callgrind-out-file=" + out,
                        build + "/bench/cost", operation, str(sockets), str(CALLS)],
                       env=env, check=True, stdout=subprocess.DEVNULL)
        return instructions_in(out, "libunspin.so") / CALLS


def main():
    build = sys.argv[1]
    failed = False
    print(f"{'call':<12}{'10 sockets':>12}{'10000 sockets':>15}{'budget':>8}")
    for operation, budget in OPERATIONS:
        costs = [measure(build, operation, n) for n in SOCKETS]
        bad = budget is not None and max(costs) > budget
        failed |= bad
        print(f"{operation:<12}{costs[0]:>12.1f}{costs[1]:>15.1f}{budget or '-':>8}"
              f"{'  over budget' if bad else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
