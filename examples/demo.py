#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make demo`: a server that write-spins and a real nginx, each without and with the shim.

Two hosts out of network namespaces with a real round-trip time where the machine allows that
(root, or unprivileged user namespaces); otherwise loopback with small buffers and slow readers.
Every figure printed is measured in this run. Takes under 90 seconds, changes nothing outside a
temporary directory.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("B", "build"))
LIBRARY = BUILD + "/libunspin.so"
RTT_MS = 5
SECONDS = 5


class Server:
    """A server process (and its children) with what /proc tells of it."""

    def __init__(self, argv, preload, stats_dir, ready):
        env = dict(os.environ, UNSPIN_STATS_DIR=stats_dir)
        if preload:
            env["LD_PRELOAD"] = LIBRARY
        self.process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.time() + 10
        while True:
            try:
                socket.create_connection(ready, timeout=1).close()
                return
            except OSError:
                if time.time() > deadline or self.process.poll() is not None:
                    self.stop()
                    sys.exit(f"demo: {argv[0]} did not start")
                time.sleep(0.05)

    def pids(self):
        out = subprocess.run(["pgrep", "-s", str(self.process.pid)], capture_output=True,
                             text=True).stdout
        return [int(p) for p in out.split()]

    def write_calls(self):
        """Write-like system calls so far, as the kernel counts them (syscw)."""
        total = 0
        for pid in self.pids():
            text = open(f"/proc/{pid}/io").read()
            total += int(re.search(r"syscw: (\d+)", text).group(1))
        return total

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def milliseconds(text):
    value, unit = re.match(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


def load_wrk(client, url, connections):
    out = subprocess.run([*client, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s",
                          "--timeout", "30s", "--latency", url],
                         capture_output=True, text=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return {"responses": requests,
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "p50": milliseconds(re.search(r"50%\s+(\S+)", out).group(1)),
            "p99": milliseconds(re.search(r"99%\s+(\S+)", out).group(1))}


def load_slow_readers(client, url, connections):
    host, port, path = re.match(r"http://([^:]+):(\d+)(.*)", url).groups()
    out = subprocess.run([*client, BUILD + "/slowread", "--host", host, "--port", port, "--path",
                          path, "--conns", str(connections), "--requests", "2", "--rcvbuf",
                          "4096", "--rate", "2000000", "--timeout-s", "60"],
                         capture_output=True, text=True).stdout
    result = json.loads(out)
    return {"responses": result["requests"], "rate": result["requests"] / result["seconds"],
            "p50": result["p50_us"] / 1000, "p99": result["p99_us"] / 1000}


def measure(argv, preload, address, path, connections, load, client, stats_dir):
    server = Server(argv, preload, stats_dir, address)
    try:
        calls, cpu = server.write_calls(), server.cpu_seconds()
        result = load(client, f"http://{address[0]}:{address[1]}{path}", connections)
        result["writes"] = (server.write_calls() - calls) / max(result["responses"], 1)
        result["cpu"] = (server.cpu_seconds() - cpu) * 1000 / max(result["responses"], 1)
        report = ""
        if preload:
            worker = server.pids()[-1]
            report = subprocess.run([BUILD + "/unspin", "stat", str(worker)],
                                    env=dict(os.environ, UNSPIN_STATS_DIR=stats_dir),
                                    capture_output=True, text=True).stdout
        return result, report
    finally:
        server.stop()


ROWS = [("rate", "responses per second", "{:,.1f}"), ("p50", "median latency, ms", "{:,.1f}"),
        ("p99", "99th percentile, ms", "{:,.1f}"),
        ("writes", "write calls per response", "{:,.1f}"),
        ("cpu", "server CPU per response, ms", "{:,.3f}")]


def show(title, bare, shim):
    print(f"\n  {title}\n  {'':<30}{'without':>14}{'with unspin':>14}{'ratio':>10}")
    for key, name, form in ROWS:
        ratio = shim[key] / bare[key] if bare[key] else 0
        text = f"{ratio:,.1f}x" if ratio >= 1 else f"1/{1 / ratio:,.1f}" if ratio else "-"
        print(f"  {name:<30}{form.format(bare[key]):>14}{form.format(shim[key]):>14}{text:>10}")
    sys.stdout.flush()


def nginx_config(directory, address):
    path = directory + "/nginx.conf"
    os.makedirs(directory + "/www", exist_ok=True)
    with open(directory + "/www/1m", "wb") as f:
        f.write(os.urandom(1000000))
    with open(path, "w") as f:
        f.write(f"""daemon off; worker_processes 1; pid {directory}/nginx.pid;
{"user root;" if os.geteuid() == 0 else ""}
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on;
    client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2;
    fastcgi_temp_path {directory}/t3; uwsgi_temp_path {directory}/t4;
    scgi_temp_path {directory}/t5;
    server {{ listen {address[0]}:{address[1]} sndbuf=16k; root {directory}/www; }} }}
""")
    return path


def free_port(host):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def compare(name, make_argv, path, connections, host, load, client, directory):
    """Runs one server without and with the shim; prints both and returns the shim's report."""
    results = []
    for preload in (False, True):
        print(f"  ... {name}, {'with' if preload else 'without'} the shim, {connections} "
              f"connections", flush=True)
        address = (host, free_port(host))
        results.append(measure(make_argv(address), preload, address, path, connections, load,
                               client, directory + "/stats"))
    show(name, results[0][0], results[1][0])
    return results[1][1]


def run(in_lab):
    client = os.environ.get("LAB_CLIENT", "").split()
    host = os.environ.get("LAB_SERVER_IP", "127.0.0.1")
    directory = tempfile.mkdtemp(prefix="unspin-demo-")
    os.chmod(directory, 0o755)
    try:
        if in_lab:
            load, where = load_wrk, f"two hosts, {RTT_MS} ms round trip, {SECONDS} s a run"
        else:
            load, where = load_slow_readers, "loopback, small buffers, readers of 2 MB/s each"
        print(f"unspin demo: {where}")
        report = compare("write loop, 16 KB send buffer, 100 KB responses",
                         lambda a: [BUILD + "/reactor", "--arch", "single", "--host", a[0],
                                    "--port", str(a[1]), "--sndbuf", "16384"],
                         "/bytes/100000", 50 if in_lab else 20, host, load, client, directory)
        if shutil.which("nginx"):
            compare("nginx, listen ... sndbuf=16k, 1 MB file",
                    lambda a: ["nginx", "-e", "stderr", "-c", nginx_config(directory, a)],
                    "/1m", 20, host, load, client, directory)
        else:
            print("\n  nginx is not installed (make deps): left out")
        print("\nWhat `unspin stat PID` said about the write loop under the shim:\n")
        print(report)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main():
    if "--inside" in sys.argv:
        run(in_lab=True)
        return 0
    probe = subprocess.run([BUILD + "/lab", "--probe"], capture_output=True, text=True)
    if probe.returncode == 0 and shutil.which("wrk"):
        return subprocess.run([BUILD + "/lab", "--rtt-us", str(RTT_MS * 1000), "--cc", "cubic",
                               "--", sys.executable, os.path.abspath(__file__),
                               "--inside"]).returncode
    print("no network namespaces here:", (probe.stdout + probe.stderr).strip() or "no wrk")
    run(in_lab=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
