# SPDX-License-Identifier: MIT
"""
Clients: closed-loop load and the byte checks before it.

The load is timedload of examples/load; wrk and redisload.py, written by others or in another
language, are there to see whether they say the same (--client wrk).
"""
import json
import math
import os
import re
import subprocess

import cells
import servers

HERE = os.path.dirname(os.path.abspath(__file__))
UNITS_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000, "h": 3600000}
LATE = 0.2    # of the window: more is said in the run's note
EXTRA_S = 60  # a load may take longer than asked, before it counts as hung


def path_of(cell, size):
    return f"/{size}" if cell.is_real else f"/bytes/{size}"


def redis(*words):
    return [servers.PYTHON, os.path.join(HERE, "redisload.py"), *map(str, words)]


def wrk_argv(cell, address, seconds):
    base = "http://%s:%d" % address
    argv = ["wrk", "-t1", f"-c{cell.conns}", f"-d{seconds}s", "--timeout", "300s", "--latency"]
    if cell.closing:
        argv += ["-H", "Connection: close"]
    if cell.heavy == 100:
        return argv + [base + path_of(cell, cell.size)]
    if cell.heavy == 0:
        return argv + [base + path_of(cell, cells.LIGHT)]
    return argv + ["-s", os.path.join(HERE, "mix.lua"), base, "--", path_of(cell, cell.size),
                   path_of(cell, cells.LIGHT), str(cell.heavy)]


def load_argv(cell, address, seconds):
    if cell.host == "redis":
        return redis("load", *address, cell.size, cell.conns, 1, seconds)
    return wrk_argv(cell, address, seconds)


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(value) * UNITS_MS[unit]


def parse_wrk(text):
    """wrk's report; percentiles are None where nothing was answered."""
    done = re.search(r"(\d+) requests in \S+ ([\d.]+)([KMGT]?)B read", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not done or not rate:
        raise servers.Failed(f"wrk said no figures: {text[-300:]!r}")
    requests = int(done.group(1))
    percentiles = {name: re.search(rf"^ +{name}% +(\S+) *$", text, re.M) for name in ("50", "99")}
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    refused = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    return {"requests": requests, "rps": float(rate.group(1)), "errors": errors + refused,
            "refused": refused, "read_mb": float(done.group(2)) * UNITS_BYTES[done.group(3)] / 1e6,
            **{f"p{name}_ms": milliseconds(found.group(1)) if found and requests else None
               for name, found in percentiles.items()}}


def timed_argv(build, cell, address, seconds, warmup):
    argv = [os.path.join(build, "timedload"), "--host", address[0], "--port", str(address[1]),
            "--conns", str(cell.conns), "--time-ms", str(round(seconds * 1000)), "--warmup-ms",
            str(round(warmup * 1000))]
    if cell.host == "redis":
        return argv + ["--redis", str(cell.size)]
    return argv + ["--heavy", path_of(cell, cell.size), "--light", path_of(cell, cells.LIGHT),
                   "--share", str(cell.heavy), *(["--close"] if cell.closing else [])]


def parse_timed(cell, text, seconds):
    """
    timedload's report. Where all answers are heavy, the rate is by bytes: those under way when
    the window opened and closed count by the share of them that was read within it.
    """
    try:
        said = json.loads(text)
    except ValueError:
        raise servers.Failed(f"timedload: {text[-300:]!r}") from None
    answers = said["bytes"] / (cell.size + cells.HEAD) if cell.heavy == 100 else said["requests"]
    is_none = not said["requests"] and not said["waiting"]
    late_s = said["seconds"] - seconds
    return {"requests": said["requests"], "rps": answers / said["seconds"],
            "errors": said["errors"], "warm_requests": said["warm_requests"],
            "waiting": said["waiting"], "read_mb": said["bytes"] / 1e6,
            "late_mb_s": said["late_bytes"] / 1e6 / (said["seconds"] / 3),
            "p50_ms": None if is_none else said["p50_ms"],
            "p99_ms": None if is_none else said["p99_ms"],
            "note": f"the client was kept from the CPU: window {late_s:.1f} s too long"
                    if late_s > LATE * seconds else ""}


def run_client(argv, seconds, on_open, says_window=True):
    """
    What a client prints, from its "window" line on where it says one. on_open is called then, or
    at once.
    """
    process = subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said = ""
        while says_window and (line := process.stdout.readline()) != "window\n":
            said += line
            if not line:
                raise servers.Failed(f"the client never began: {said[-300:]!r}")
        on_open()
        return process.communicate(timeout=seconds + EXTRA_S)[0]
    except subprocess.TimeoutExpired:
        raise servers.Failed(f"the load did not end within {seconds + EXTRA_S:g} s") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def run_load(client_name, build, cell, client, address, seconds, warmup, on_open):
    """One load, and its figures. on_open is called when its window begins."""
    is_timed = client_name == "timed"
    argv = (timed_argv(build, cell, address, seconds, warmup) if is_timed
            else load_argv(cell, address, math.ceil(seconds)))
    out = run_client([*client, *argv], seconds, on_open, says_window=is_timed)
    if is_timed:
        return parse_timed(cell, out[out.find("{"):], seconds)
    found = parse_redisload(out) if cell.host == "redis" else parse_wrk(out)
    return {**found, "warm_requests": 0, "note": ""}


def parse_redisload(text):
    try:
        return json.loads(text)
    except ValueError:
        raise servers.Failed(f"redisload: {text[-300:]!r}") from None


def verify_argvs(build, place, cell, address):
    """Few answers where one takes long; of each size that the load asks for."""
    path = servers.body_path(place, cell.size)
    if cell.host == "redis":
        return [redis("verify", *address, path, 4)]
    is_slow = cells.response_s(cell) > 0.2
    sizes = [cell.size] * (cell.heavy > 0) + [cells.LIGHT] * (cell.heavy < 100)
    argvs = []
    for size in sizes:
        # Two requests per connection: the second meets what the shim learnt from the first.
        argv = [os.path.join(build, "slowread"), "--host", address[0], "--port", str(address[1]),
                "--path", path_of(cell, size), "--conns", "1" if is_slow else "4", "--requests",
                "2", "--timeout-s", "60"]
        argv += ["--expect", path] if cell.is_real else ["--verify"]
        argvs.append(argv + (["--close"] if cell.closing else []))
    return argvs


def check_bytes(argv):
    """Raises Failed unless slowread (or redisload.py) finds every byte right."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60 + EXTRA_S)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {}
    if done.returncode or said.get("mismatches", 1) or said.get("errors", 1):
        raise servers.Failed(f"wrong answers: {(done.stdout + done.stderr).strip()[-300:]}")


def verify(build, place, cell, client, address):
    for argv in verify_argvs(build, place, cell, address):
        check_bytes([*client, *argv])


def settle(cell, client, address, place):
    """What a server needs before anything is asked of it."""
    if cell.host == "redis":
        argv = redis("store", *address, servers.body_path(place, cell.size))
        if subprocess.run([*client, *argv], stdout=subprocess.DEVNULL).returncode:
            raise servers.Failed("redis did not store the value")
