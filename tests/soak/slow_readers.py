#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Ten thousand slow readers of 1 MB each against one reactor, without and with the library: do the
budgets hold, does the server go on serving others, does every reader get its bytes?

    slow_readers.py [--arch yield] [--readers 10000] [--seconds 20]

Makes a lab (tests/lab) of its own per side: over a network of 1 ms, because a loopback connection
begins with megabytes of buffer. Prints what it saw and ends with 1 when a rule was broken:
  - no reader gets a wrong byte or an early end, and every newcomer an answer;
  - send-buffer space added, with all readers there, is within the process's sndbuf_budget (the
    default depends on the machine's memory), and where the readers want more, refusals are counted;
  - a newcomer's small request takes at most 1.5 times as long, or 20 ms more: median and 9 of 10.
Ends with 77 where so many descriptors are not allowed.
"""
import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.realpath(os.environ.get("B", os.path.join(ROOT, "build")))
SIZE = 1 << 20
SMALL = 100
PER_READ = 1024  # bytes a reader takes at a time
EVERY_S = 0.02   # a newcomer
PATIENCE_S = 10


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def connect(address):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(PATIENCE_S)
    s.connect(address)
    return s


def get(address, size):
    """One request on a connection of its own. Returns the body and the seconds it took."""
    began = time.monotonic()
    with connect(address) as s:
        s.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % size)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    return answer.partition(b"\r\n\r\n")[2], time.monotonic() - began


class Reader:
    def __init__(self, address):
        self.socket, self.at, self.head = connect(address), None, b""
        self.socket.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: h\r\n\r\n" % SIZE)
        self.socket.setblocking(False)

    def take(self, reference):
        """One read; raises ValueError when it is not what it should be."""
        try:
            piece = self.socket.recv(PER_READ)
        except BlockingIOError:
            return
        if not piece:
            raise ValueError("the end came early")
        if self.at is None:
            self.head += piece
            head, found, piece = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            self.at = 0
        if piece != reference[self.at:self.at + len(piece)]:
            raise ValueError(f"wrong bytes at {self.at}")
        self.at += len(piece)


def newcomer(address):
    """Seconds until a small answer is there; says what is wrong otherwise."""
    began = time.monotonic()
    try:
        body, took = get(address, SMALL)
    except OSError as error:
        return time.monotonic() - began, f"a newcomer: {error}"
    return took, "" if len(body) == SMALL else f"a newcomer got {len(body)} bytes"


def with_those_kept_out(probes):
    """
    One newcomer at a time stands for one every EVERY_S: those that would have come while it waited
    had waited the rest of its time. Without them a server that stops for seconds looks quick.
    """
    return [waited - n * EVERY_S for waited in probes for n in range(1 + int(waited / EVERY_S))]


def client(address, count, seconds):
    """Runs in the client's namespace: the crowd, and newcomers."""
    reference, _ = get(address, SIZE)
    assert len(reference) == SIZE
    readers, probes, broken = [], [], []
    for _ in range(count):
        readers.append(Reader(address))
    end, turn = time.monotonic() + seconds, 0
    next_probe = time.monotonic()
    while time.monotonic() < end:
        for reader in readers[turn:turn + 200]:
            try:
                reader.take(reference)
            except (ValueError, OSError) as error:
                broken.append(str(error))
        turn = turn + 200 if turn + 200 < count else 0
        if time.monotonic() >= next_probe:
            took, wrong = newcomer(address)
            probes.append(took)
            broken += [wrong] if wrong else []
            next_probe = time.monotonic() + EVERY_S
    print(json.dumps({"readers": len(readers), "broken": broken[:5], "probes": probes,
                      "bytes": sum(r.at or 0 for r in readers)}), flush=True)
    sys.stdin.read()  # the readers stay until the other side has looked


def server(arch, count, seconds, is_shimmed):
    """Runs inside a lab, in the server's namespace."""
    with tempfile.TemporaryDirectory() as place:
        env = {k: v for k, v in os.environ.items() if not k.startswith("UNSPIN_")}
        env["UNSPIN_STATS_DIR"] = place
        host = os.environ["LAB_SERVER_IP"]
        shim = {"LD_PRELOAD": f"{BUILD}/libunspin.so"} if is_shimmed else {}
        reactor = subprocess.Popen(
            [f"{BUILD}/reactor", "--arch", arch, "--host", host, "--port", "7070"],
            env={**env, **shim}, stdout=subprocess.PIPE, text=True)
        reactor.stdout.readline()
        crowd = subprocess.Popen(
            [*os.environ["LAB_CLIENT"].split(), "/usr/bin/python3", os.path.realpath(__file__),
             "--client", host, "--readers", str(count), "--seconds", str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = crowd.stdout.readline()
        if not line:
            raise SystemExit("the client broke off")
        seen = json.loads(line)
        if is_shimmed:
            text = subprocess.run([f"{BUILD}/unspin", "stat", "--json", str(reactor.pid)], env=env,
                                  capture_output=True, text=True, check=True).stdout
            seen["stat"] = json.loads(text)
        for line in open("/proc/net/sockstat"):
            if line.startswith("TCP:"):
                seen["tcp_pages"] = int(line.split()[-1])
        crowd.stdin.close()
        crowd.wait()
        reactor.terminate()
        reactor.wait()
    print(json.dumps(seen))


def side(options, is_shimmed):
    done = subprocess.run(
        [f"{BUILD}/lab", "--rtt-us", "1000", "--cc", "cubic", "--", "/usr/bin/python3",
         os.path.realpath(__file__), "--arch", options.arch, "--readers", str(options.readers),
         "--seconds", str(options.seconds), "--server", "shim" if is_shimmed else "bare"],
        stdout=subprocess.PIPE, text=True)
    if done.returncode:  # it has said why
        print(done.stdout, end="")
        sys.exit(done.returncode)
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    waited = with_those_kept_out(seen["probes"])
    p50, p90 = (percentile(waited, q) * 1000 for q in (0.5, 0.9))
    print(f"{'shim' if is_shimmed else 'bare'}: {seen['readers']} readers took {seen['bytes'] >> 20} MB; "
          f"{len(seen['probes'])} newcomers, median {p50:.1f} ms, 9 of 10 within {p90:.1f} ms; "
          f"TCP memory {seen['tcp_pages'] * 4 >> 10} MB", flush=True)
    return seen, (p50, p90)


def find(tree, key):
    """The first value of the key, wherever it is."""
    if isinstance(tree, dict):
        if key in tree:
            return tree[key]
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            found = find(branch, key)
            if found is not None:
                return found
    return None


def option(stat, name):
    """As the process has it: a default may be bounded by the machine's memory."""
    return next(row["value"] for row in stat["config"] if row["name"] == name)


def allow_descriptors(count):
    """For the client and the server, which inherit it; what most shells allow is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        print(f"skip: {count} descriptors are not allowed here, {hard} are")
        sys.exit(77)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", default="yield")
    parser.add_argument("--readers", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--client")
    parser.add_argument("--server", choices=("bare", "shim"))
    options = parser.parse_args()
    if options.client:
        return client((options.client, 7070), options.readers, options.seconds)
    if options.server:
        return server(options.arch, options.readers, options.seconds, options.server == "shim")
    allow_descriptors(options.readers + 100)
    bare, bare_ms = side(options, False)
    shim, shim_ms = side(options, True)
    used, refusals = (find(shim["stat"], k) for k in ("sndbuf_budget_used", "sndbuf_budget_refusals"))
    budget = option(shim["stat"], "sndbuf_budget")
    print(f"budget used {used >> 20} of {budget >> 20} MB, {refusals} growths refused")
    failures = [f"{name}: {seen['broken']}" for name, seen in (("bare", bare), ("shim", shim))
                if seen["broken"]]
    if used > budget:
        failures.append("the budget was exceeded")
    if options.readers * SIZE > 2 * budget and not refusals:
        failures.append("nothing was refused: the budget was not put to the test")
    for before, after in zip(bare_ms, shim_ms):
        if after > max(1.5 * before, before + 20):
            failures.append(f"newcomers wait: {after:.1f} ms, bare {before:.1f} ms")
    for failure in failures:
        print("not ok", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
