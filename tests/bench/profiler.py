# SPDX-License-Identifier: MIT
"""
What a server does with its CPU and its system calls under a load, in a run of its own: both tools
slow it down, so nothing else of such a run is used.

    perf     samples of the CPU clock (a software event; virtual machines seldom have others), with
             kernel stacks: the share of the server's CPU time within the futex system call
    strace   counts: futex calls per write, which is per response where one write sends it; and
             futex's share of the time within system calls as strace sees it
"""
import os
import re
import shutil
import signal
import subprocess
import time

import servers

TOOLS = ("perf", "strace")
BEGIN_S, STOP_S = 0.5, 20  # to attach to a server that has nothing to do yet; to write it up


def why_missing(tool):
    return "" if shutil.which(tool) else f"{tool} is not installed"


class Profiler:
    """start() before the load, stop() after it: figures of the time between."""

    def __init__(self, tool, place):
        self.tool, self.path = tool, os.path.join(place, tool + ".out")
        self.process = None

    def start(self, pid):
        argv = {"perf": ["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-g", "-o"],
                "strace": ["strace", "-q", "-f", "-c", "-o"]}[self.tool]
        self.process = subprocess.Popen([*argv, self.path, "-p", str(pid)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(BEGIN_S)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise servers.Failed(f"{self.tool} did not end") from None
        return self.read_perf() if self.tool == "perf" else self.read_strace()

    def read_perf(self):
        text = subprocess.run(["perf", "report", "-i", self.path, "--stdio", "--children", "--sort",
                               "symbol", "-g", "none"], capture_output=True, text=True).stdout
        return {"futex_pct": parse_perf(text)}

    def read_strace(self):
        return parse_strace(servers.read(self.path))


def parse_perf(text):
    """Percent of the samples that have the system call on their stack; a failed record has none."""
    if not re.search(r"^ +[\d.]+%", text, re.M):
        raise servers.Failed(f"perf said nothing: {text[-200:]!r}")
    found = re.search(r"^ +([\d.]+)% +[\d.]+% +\[k\] \w*sys_futex\b", text, re.M)
    return float(found.group(1)) if found else 0.0


def parse_strace(text):
    rows = {words[-1]: (float(words[0]), int(words[3]))
            for words in map(str.split, text.splitlines())
            if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0])}
    writes = sum(rows.get(name, (0, 0))[1] for name in ("write", "writev"))
    if not writes:
        raise servers.Failed(f"strace saw no write: {text[-200:]!r}")
    share, calls = rows.get("futex", (0, 0))
    return {"futex_time_pct": share, "futex_calls": calls / writes}
