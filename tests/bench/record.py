#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a benchmark and stores what it printed in docs/RESULTS.md, with machine and commit.

usage: record.py SECTION -- COMMAND ARGS...

The section stands between markers and is replaced as a whole; a section that is not there yet is
added at the end. Nothing else in the file is touched.
"""
import datetime
import os
import platform
import re
import subprocess
import sys

RESULTS = "docs/RESULTS.md"


def machine():
    model = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    run = lambda *a: subprocess.run(a, capture_output=True, text=True).stdout.strip()
    commit = run("git", "rev-parse", "--short", "HEAD")
    dirty = "+" if run("git", "status", "--porcelain", "shim", "probes", "policy") else ""
    compiler = run(os.environ.get("CC", "gcc"), "--version").splitlines()[0]
    return (f"{datetime.date.today()}, commit {commit}{dirty}, {os.cpu_count()} cores "
            f"({model.group(1) if model else 'unknown'}), Linux {platform.release()}, "
            f"glibc {platform.libc_ver()[1]}, {compiler}")


def store(section, text, path=RESULTS):
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    block = f"{begin}\n{text}\n{end}"
    have = open(path).read() if os.path.exists(path) else "# Results\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    new = pattern.sub(lambda _: block, have) if pattern.search(have) else have + "\n" + block + "\n"
    with open(path, "w") as f:
        f.write(new)


def main():
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        sys.exit(__doc__)
    section, command = sys.argv[1], sys.argv[3:]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line.rstrip())
    code = process.wait()
    store(section, f"{machine()}; `{' '.join(command)}`:\n\n```\n" + "\n".join(lines) + "\n```")
    return code


if __name__ == "__main__":
    sys.exit(main())
