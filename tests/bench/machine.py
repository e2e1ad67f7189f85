# SPDX-License-Identifier: MIT
"""Where and of what a measurement was made."""
import datetime
import hashlib
import os
import platform
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def lines(*argv):
    """What a program prints; nothing if it cannot be run."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=ROOT, timeout=20)
    except OSError:
        return []
    return done.stdout.strip().split("\n")


def said(*argv):
    return (lines(*argv) or [""])[0]


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def digest(*paths):
    return hashlib.sha256(b"".join(open(path, "rb").read() for path in paths)).hexdigest()


def commit():
    return said("git", "rev-parse", "--short=12", "HEAD")


def is_dirty():
    """Whether tracked files differ from the commit. No optional locks: others use the tree."""
    done = subprocess.run(["git", "--no-optional-locks", "status", "--porcelain", "-uno"], cwd=ROOT,
                          capture_output=True, text=True)
    return bool(done.stdout.strip())


def cpu():
    info = read("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", info)
    return (f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} CPUs"
            + (", virtual" if re.search(r"^flags.*\bhypervisor\b", info, re.M) else ""))


def compiler(binary):
    """What the library says it was made by, rather than what is installed."""
    try:
        text = subprocess.run(["readelf", "-p", ".comment", binary], capture_output=True,
                              text=True).stdout
    except OSError:
        return said("cc", "--version")
    return re.search(r"\]\s+(.*)", text).group(1) if "]" in text else said("cc", "--version")


def programs():
    versions = {
        "wrk": r"wrk (\S+)", "httperf": r"httperf-(\S+)", "nginx": r"nginx/(\S+)",
        "redis-server": r"v=(\S+)", "/usr/bin/python3": r"Python (\S+)", "node": r"v(\S+)",
    }
    for name, pattern in versions.items():
        found = re.search(pattern, " ".join(lines(name, "-v" if name in ("wrk", "nginx")
                                                  else "--version")))
        yield f"{os.path.basename(name)} {found.group(1) if found else 'missing'}"


def library(build):
    return f"libunspin.so sha256 {digest(os.path.join(build, 'libunspin.so'))[:16]}"


def facts(build, seconds, warmup):
    memory = re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo"))
    sysctls = {name: " ".join(read("/proc/sys/net/" + name.replace(".", "/", 1)).split())
               for name in ("core.wmem_max", "ipv4.tcp_wmem", "ipv4.tcp_rmem", "ipv4.tcp_mem")}
    return {
        "date": datetime.datetime.now().isoformat(timespec="seconds"),
        "commit": commit() + (" with uncommitted changes" if is_dirty() else ""),
        "library": library(build),
        "machine": cpu() + (f", {int(memory.group(1)) // 1024} MB" if memory else ""),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "compiler": compiler(os.path.join(build, "libunspin.so")),
        "programs": ", ".join(programs()),
        "sysctl": ", ".join(f"{name} = {value}" for name, value in sysctls.items()),
        "load before": f"{os.getloadavg()[0]:.2f} (1 minute)",
        "run": f"{seconds:g} s " + (f"after {warmup:g} s on the same connections" if warmup
                                    else "from cold"),
        "seconds": f"{seconds:g}",
        "warmup": f"{warmup:g}",
    }


MEASURED = ("libunspin.so", "reactor")  # of the build directory
MEASURING = ("cells.py", "variants.py", "labs.py", "inside.py", "servers.py", "loads.py")


def sources(measuring):
    """Paths below the root: these files of tests/bench, and the client they use."""
    return [*(os.path.join("tests", "bench", name) for name in measuring),
            os.path.join("examples", "load", "timedload.c")]


def made_by(build, built, sources):
    """Of what was measured and what measured it. Sources: paths below the root."""
    return digest(*(os.path.join(build, name) for name in built),
                  *(os.path.join(ROOT, name) for name in sources))[:12]


def data_path(build, seconds, warmup, suffix=""):
    """
    Another library, reactor, way of measuring or length of run is another file. Another commit is
    not: results of one part may be committed before the next is measured.
    """
    made = made_by(build, MEASURED, sources(MEASURING))
    return os.path.join(build, "matrix", f"{made}-{seconds:g}s-warm{warmup:g}{suffix}.csv")


def is_stale(build):
    """Whether a source of the library is newer than the library."""
    built = os.path.getmtime(os.path.join(build, "libunspin.so"))
    for room in ("shim", "probes", "policy"):
        for name in os.listdir(os.path.join(ROOT, room)):
            if os.path.getmtime(os.path.join(ROOT, room, name)) > built:
                return True
    return False
