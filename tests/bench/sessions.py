# SPDX-License-Identifier: MIT
"""
The web workload of "Comparing the Performance of Web Server Architectures", ten times faster.

36 files in four classes of nine, 102 to 921 600 bytes; 35, 50, 14 and 1 % of the requests are for a
class, and within a class popularity falls as 1/rank, the middle size first (SPECweb99). A session is
one connection with PAGES pages of FILES requests; it thinks ACTIVE_S between files and INACTIVE_S
between pages and gives up when nothing arrives for TIMEOUT_S. Sessions begin at a fixed rate,
whether the server keeps up or not.

Throughput is what leaves the server's network interface once the first sessions have ended
(SETTLE_S) and as long as new ones begin: the tail, in which the last sessions think, is not in it.

httperf makes them. It waits by select() and has 1020 connections at most, so it is started
PROCESSES times; what it could not begin for want of a descriptor is counted as `unsent`.
"""
import os
import random
import re
import subprocess
import time

import loads
import servers

CLASS_STEP = (102.4, 1024, 10240, 102400)
CLASS_SHARE = (35, 50, 14, 1)
RANKING = (4, 3, 5, 2, 6, 1, 7, 8, 0)  # of the nine of a class, the most popular first
SPEEDUP = 10
ACTIVE_S, INACTIVE_S, TIMEOUT_S = 0.343 / SPEEDUP, 3.0 / SPEEDUP, 15 / SPEEDUP
PAGES, FILES = 2, 3
REQUESTS = PAGES * FILES
SETTLE_S = 0.5
PROCESSES = 4
INTERFACE = "veth0"  # of the lab's server, towards the client
SESSIONS = 1000  # in the log of each process, then from its beginning again


def size_of(kind, at):
    return int(CLASS_STEP[kind] * (at + 1))


def sizes():
    return [size_of(kind, at) for kind in range(4) for at in range(9)]


def popularity():
    """size -> share of the requests."""
    whole = sum(1 / rank for rank in range(1, 10))
    return {size_of(kind, at): CLASS_SHARE[kind] / 100 / rank / whole
            for kind in range(4) for rank, at in enumerate(RANKING, 1)}


def root(place):
    return os.path.join(place, "www")


def write_files(place):
    os.makedirs(root(place), exist_ok=True)
    for size in sizes():
        with open(servers.body_path(place, size), "wb") as f:
            f.write(random.Random(size).randbytes(size))


def draw(rng, count):
    shares = popularity()
    return rng.choices(list(shares), list(shares.values()), k=count)


def session(rng):
    """Lines of one session: a path each, with the time to think after it."""
    thinks = ([ACTIVE_S] * (FILES - 1) + [INACTIVE_S]) * PAGES
    lines = [f"/{size} think={think:.4f}" for size, think in zip(draw(rng, REQUESTS), thinks)]
    return lines[:-1] + [lines[-1].split()[0]]


def write_log(path, seed):
    rng = random.Random(seed)
    with open(path, "w") as f:
        f.write("\n\n".join("\n".join(session(rng)) for _ in range(SESSIONS)) + "\n")


def httperf_argv(log, address, rate, seconds):
    return ["httperf", "--hog", "--server", address[0], "--port", str(address[1]), "--wsesslog",
            f"{round(rate * seconds)},0,{log}", "--rate", f"{rate:.3f}", "--timeout",
            f"{TIMEOUT_S:g}"]


def number(pattern, text):
    found = re.search(pattern, text, re.M)
    if not found:
        raise servers.Failed(f"httperf said no figures: {text[-300:]!r}")
    return float(found.group(1))


def parse_httperf(text):
    seconds = number(r"test-duration ([\d.]+) s", text)
    return {
        "seconds": seconds,
        "replies": number(r"^Reply status:.* 2xx=(\d+)", text),
        "refused": number(r"^Reply status:.* 5xx=(\d+)", text),
        "read_mb": number(r"^Net I/O: ([\d.]+) KB/s", text) * 1.024e-3 * seconds,
        "mean_ms": (number(r"^Reply time \[ms\]: response ([\d.]+)", text) +
                    number(r"^Reply time \[ms\]:.* transfer ([\d.]+)", text)),
        "sessions": number(r"^Session rate.*\(\d+/(\d+)\)", text),
        "timeouts": number(r"client-timo (\d+)", text),
        "unsent": number(r"fd-unavail (\d+)", text),
        "errors": sum(number(rf"{name} (\d+)", text) for name in
                      ("socket-timo", "connrefused", "connreset", "addrunavail", "ftab-full",
                       "other")),
    }


def total(parts):
    """Of all processes. A session that timed out is the load's word on the server, no error."""
    def add(name):
        return sum(part[name] for part in parts)
    replies, seconds = add("replies"), max(part["seconds"] for part in parts)
    return {
        "requests": int(replies), "rps": replies / seconds, "read_mb": add("read_mb"),
        "refused": int(add("refused")),
        "mean_ms": (sum(part["mean_ms"] * part["replies"] for part in parts) / replies
                    if replies else None),
        "timeouts_pct": 100 * add("timeouts") / add("sessions"), "unsent": int(add("unsent")),
        "errors": int(add("errors")), "warm_requests": 0,
        "note": f"{add('unsent'):.0f} sessions not begun: descriptors" if add("unsent") else "",
    }


def sent_bytes():
    found = re.search(rf"^ *{INTERFACE}: *(.*)$", servers.read("/proc/net/dev"), re.M)
    return int(found.group(1).split()[8])


def throughput(seconds):
    """Mbit/s that leave the server; returns when no more sessions begin."""
    end = time.monotonic() + seconds
    time.sleep(SETTLE_S)
    before, began = sent_bytes(), time.monotonic()
    time.sleep(max(0, end - began))
    return (sent_bytes() - before) * 8e-6 / (time.monotonic() - began)


def run_open(place, client, address, rate, seconds, on_open):
    """Sessions at a rate for so many seconds, and until the last of them has ended."""
    processes = []
    for i in range(PROCESSES):
        log = os.path.join(place, f"sessions-{i}")
        write_log(log, i)
        processes.append([*client, *httperf_argv(log, address, rate / PROCESSES, seconds)])
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True) for argv in processes]
    try:
        on_open()
        mbps = throughput(seconds)
        texts = [process.communicate(timeout=seconds + loads.EXTRA_S)[0] for process in processes]
    except subprocess.TimeoutExpired:
        raise servers.Failed("httperf did not end") from None
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    return {**total([parse_httperf(text) for text in texts]), "mbps": mbps}


def run_closed(place, client, cell, address, seconds, on_open):
    """The same files in the same shares without thinking: what the server can do at most."""
    paths = os.path.join(place, "paths")
    with open(paths, "w") as f:
        f.write("".join(f"/{size}\n" for size in draw(random.Random(0), SESSIONS * REQUESTS)))
    argv = [*client, "wrk", "-t1", f"-c{cell.conns}", f"-d{seconds:g}s", "--latency", "-s",
            os.path.join(loads.HERE, "paths.lua"), "http://%s:%d" % address, "--", paths]
    on_open()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + loads.EXTRA_S)
    return {**loads.parse_wrk(done.stdout), "warm_requests": 0, "note": ""}


def verify(build, place, client, address):
    """Every byte of a file of each size, twice on one connection."""
    for size in sizes():
        argv = [os.path.join(build, "slowread"), "--host", address[0], "--port", str(address[1]),
                "--path", f"/{size}", "--requests", "2", "--expect",
                servers.body_path(place, size)]
        loads.check_bytes([*client, *argv])
