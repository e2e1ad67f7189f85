# SPDX-License-Identifier: MIT
"""The servers of the cells, the shards behind one of them, and the clients, all on loopback."""
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time

import loads
import scenes
import servers

HERE = os.path.dirname(os.path.abspath(__file__))
SHARDS = 4
LOOPBACK = "127.0.0.1"


def free_port():
    """
    Below those the kernel gives to whoever connects: with short connections running, one of these
    would soon be taken between our look and the server's.
    """
    lowest = int(servers.read("/proc/sys/net/ipv4/ip_local_port_range").split()[0])
    while True:
        port = random.randrange(lowest // 2, lowest)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind((LOOPBACK, port))
            return port


def body_path(place, name):
    return os.path.join(place, "www", str(name))


def prepare(place):
    """What is answered. Letters, because redis' client on the command line reads them, too."""
    os.makedirs(os.path.join(place, "www"), exist_ok=True)
    letters = random.Random(4)
    sizes = {"body": scenes.BODY, "redis": scenes.REDIS_BODY,
             **{f"shard-{n}": scenes.BODY for n in range(SHARDS)}}
    for name, size in sizes.items():
        with open(body_path(place, name), "wb") as f:
            f.write(bytes(letters.choices(b"abcdefghijklmnopqrstuvwxyz", k=size)))
    with open(body_path(place, "all-shards"), "wb") as f:
        for n in range(SHARDS):
            f.write(open(body_path(place, f"shard-{n}"), "rb").read())


def nginx_config(place, port):
    """Four workers on one listener: nginx asks for EPOLLEXCLUSIVE itself."""
    path = os.path.join(place, "nginx.conf")
    temporary = "".join(f"{name}_temp_path {place}/{name}; " for name in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(path, "w") as f:
        f.write(f"""daemon off; worker_processes 4; {"user root;" if os.geteuid() == 0 else ""}
pid {place}/nginx.pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000000; {temporary}
    server {{ listen {LOOPBACK}:{port} backlog=1024; root {place}/www; }}
}}
""")
    return path


def redis_argv(place, port):
    return ["redis-server", "--port", str(port), "--bind", LOOPBACK, "--save", "", "--appendonly",
            "no", "--dir", place, "--loglevel", "warning"]


def argv(build, place, cell, args, port, shard_ports):
    """The server's command line. args: the cell's, or a variant's in their place."""
    body, own = body_path(place, "body"), os.path.join(build, "bench", "wakeups")
    return {
        "prefork": lambda: [servers.PYTHON, os.path.join(HERE, "prefork.py"), body, str(port),
                            *args],
        "faulty": lambda: [os.path.join(own, "faulty"), "--port", str(port), "--body", body, *args],
        "fanout": lambda: [os.path.join(own, "fanout"), "--port", str(port), "--value-bytes",
                           str(scenes.BODY), "--pool", str(scenes.POOL), "--shards",
                           ",".join(map(str, shard_ports)), *args],
        "nginx": lambda: ["nginx", "-e", "stderr", "-c", nginx_config(place, port)],
        "redis": lambda: redis_argv(place, port),
        "node": lambda: ["node", os.path.join(HERE, "control.js"), body, str(port)],
    }[cell.host]()


class Host(servers.Server):
    """Pre-forked workers say when all of them serve; the listener is there before the first."""

    def __init__(self, build, place, cell, variant, shard_ports):
        port = free_port()
        shutil.rmtree(os.path.join(place, "stats"), ignore_errors=True)
        env = servers.environment(build, place, variant.is_shimmed, variant.settings)
        super().__init__(argv(build, place, cell, variant.args_of(cell), port, shard_ports), env,
                         place, (LOOPBACK, port))
        self.port, self.cell = port, cell

    def wait_until_ready(self):
        end = time.monotonic() + servers.START_S
        while self.cell.host == "prefork" and "ready\n" not in servers.read(self.log_path):
            if self.process.poll() is not None or time.monotonic() > end:
                raise servers.Failed(f"no worker: {servers.read(self.log_path)[-300:]!r}")
            time.sleep(0.01)
        super().wait_until_ready()

    def __enter__(self):
        super().__enter__()
        try:
            if self.cell.host == "redis":
                store_value(self.port, body_path(os.path.dirname(self.log_path), "redis"))
        except BaseException:
            self.stop()
            raise
        return self


def store_value(port, path):
    done = subprocess.run([servers.PYTHON, os.path.join(os.path.dirname(HERE), "redisload.py"),
                           "store", LOOPBACK, str(port), path], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise servers.Failed("redis did not store the value")


@contextlib.contextmanager
def shards(place, cell):
    """The ports of running shards, where the cell needs any; the same for all its variants."""
    with contextlib.ExitStack() as running:
        ports = []
        for n in range(SHARDS if cell.host == "fanout" else 0):
            home = os.path.join(place, f"shard-{n}")
            os.makedirs(home, exist_ok=True)
            ports.append(free_port())
            running.enter_context(servers.Server(
                redis_argv(home, ports[-1]), servers.environment("", home, is_shimmed=False), home,
                (LOOPBACK, ports[-1])))
            store_value(ports[-1], body_path(place, f"shard-{n}"))
        yield ports


# Clients.

def load_argv(build, cell, port, seconds, warmup):
    common = ["--port", str(port), "--conns", str(cell.conns), "--time-ms",
              str(round(seconds * 1000)), "--warmup-ms", str(round(warmup * 1000))]
    if cell.is_idle:  # nobody asks: what is measured, the host does to itself
        return [sys.executable, "-c", "import time; time.sleep(%g); print('window', flush=True); "
                "time.sleep(%g)" % (warmup, seconds)]
    if cell.rate:
        return [os.path.join(build, "bench", "wakeups", "paced"), *common, "--rate",
                str(cell.rate), "--path", "/body"]
    timed = [os.path.join(build, "timedload"), *common]
    if cell.host == "redis":
        return timed + ["--redis", str(scenes.REDIS_BODY)]
    return timed + ["--heavy", "/body", *(["--close"] if cell.is_closing else [])]


def parse_load(cell, text, seconds):
    if cell.is_idle:
        return {"requests": 0, "warm_requests": 0, "errors": 0, "note": ""}
    try:
        said = json.loads(text[text.find("{"):])
    except ValueError:
        raise servers.Failed(f"the load said no figures: {text[-300:]!r}") from None
    if not said["requests"]:
        raise servers.Failed(f"nothing was answered: {text[-300:]!r}")
    late_s = said["seconds"] - seconds
    return {"requests": said["requests"], "warm_requests": said["warm_requests"],
            "rps": said["requests"] / said["seconds"], "errors": said["errors"],
            "p50_ms": said["p50_ms"], "p99_ms": said["p99_ms"],
            "note": f"the client was kept from the CPU: window {late_s:.1f} s too long"
                    if late_s > loads.LATE * seconds else ""}


def verify(build, place, cell, port):
    """Raises Failed unless every byte is right; two requests on each of four connections."""
    if cell.host == "redis":
        loads.check_bytes([servers.PYTHON, os.path.join(os.path.dirname(HERE),
                                                               "redisload.py"), "verify", LOOPBACK,
                                  str(port), body_path(place, "redis"), "8"])
    elif not cell.is_idle:
        expected = body_path(place, "all-shards" if cell.host == "fanout" else "body")
        loads.check_bytes([
            os.path.join(build, "slowread"), "--host", LOOPBACK, "--port", str(port), "--path",
            "/body", "--conns", "4", "--requests", "2", "--timeout-s", "20", "--expect", expected,
            *(["--close"] if cell.is_closing else [])])


def last_words(server):
    """The line of JSON that a host of ours ends with; {} of others. To be asked after its end."""
    for line in reversed(servers.read(server.log_path).splitlines()):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                return json.loads(line)
    return {}
