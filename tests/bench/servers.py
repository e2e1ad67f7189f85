# SPDX-License-Identifier: MIT
"""A server process inside the lab, with or without the shim, and what /proc tells of it."""
import os
import random
import signal
import socket
import subprocess
import time

import variants

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
TICKS = os.sysconf("SC_CLK_TCK")
START_S = 10
STOP_S = 10


class Failed(Exception):
    """This run cannot be measured; the text says why."""


def body_path(place, size):
    return os.path.join(place, "www", str(size))


def prepare(place, cell):
    """The file a real server answers with. Same bytes in every run."""
    if cell.is_real:
        os.makedirs(os.path.join(place, "www"), exist_ok=True)
        with open(body_path(place, cell.size), "wb") as f:
            f.write(random.Random(cell.size).randbytes(cell.size))


def nginx_config(place, sndbuf, host, port):
    path = os.path.join(place, "nginx.conf")
    user = "user root;" if os.geteuid() == 0 else ""  # in a user namespace nobody else exists
    with open(path, "w") as f:
        f.write(f"""daemon off; worker_processes 1; {user}
pid {place}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000000;
    client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
    uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
    server {{
        listen {host}:{port} backlog=1024 {f"sndbuf={sndbuf}" if sndbuf else ""};
        root {place}/www;
    }}
}}
""")
    return path


def argv(build, place, cell, variant, host, port):
    sndbuf = variants.sndbuf_of(cell, variant)
    if cell.host == "nginx":
        return ["nginx", "-e", "stderr", "-c", nginx_config(place, sndbuf, host, port)]
    if cell.host == "redis":
        return ["redis-server", "--port", str(port), "--bind", host, "--save", "", "--appendonly",
                "no", "--dir", place, "--loglevel", "warning", "--protected-mode", "no"]
    if cell.host == "asyncio":
        return [PYTHON, os.path.join(HERE, "asyncio_host.py"), os.path.join(place, "www"), host,
                str(port), str(sndbuf)]
    return [os.path.join(build, "reactor"), "--host", host, "--port", str(port),
            *variants.reactor_args(cell, variant)]


def environment(build, place, variant):
    """Clean of what the caller has set, so that only the variant decides."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("UNSPIN_") and k != "LD_PRELOAD"}
    if variant.kind == "shim":
        env.update(variant.settings, LD_PRELOAD=os.path.join(build, "libunspin.so"),
                   UNSPIN_STATS_DIR=os.path.join(place, "stats"))
    return env


class Usage:
    """
    What a session of processes has used so far.

    cpu_s     user + system, ended threads included
    writes    syscw: write, writev, pwrite, sendfile, the failed ones too; not send, sendto,
              sendmsg, splice and io_uring
    switches  voluntary + involuntary, of living threads only
    """

    def __init__(self, session):
        self.cpu_s, self.writes, self.switches = 0.0, 0, 0
        for pid in session_pids(session):
            try:
                self.add(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has just ended

    def add(self, pid):
        fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
        self.cpu_s += (int(fields[11]) + int(fields[12])) / TICKS
        self.writes += field(read(f"/proc/{pid}/io"), "syscw")
        for tid in os.listdir(f"/proc/{pid}/task"):
            status = read(f"/proc/{pid}/task/{tid}/status")
            self.switches += (field(status, "voluntary_ctxt_switches") +
                              field(status, "nonvoluntary_ctxt_switches"))


def read(path):
    with open(path) as f:
        return f.read()


def field(text, name):
    return int(("\n" + text).split(f"\n{name}:", 1)[1].split(None, 1)[0])


def session_pids(session):
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = read(f"/proc/{name}/stat").rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            yield int(name)


class Server:
    """with Server(...) as server: load it. Afterwards life_switches is known, of all threads."""

    def __init__(self, argv, place, variant, build, address):
        self.address, self.argv = address, argv
        self.is_shimmed = variant.kind == "shim"
        self.env = environment(build, place, variant)
        self.log_path = os.path.join(place, "server.log")
        self.note = ""
        self.life_switches = None

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.argv, env=self.env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            self.wait_until_ready()
            self.check_library()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *unused):
        self.stop()

    def wait_until_ready(self):
        end = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(self.address, timeout=1).close()
                return
            except OSError as why:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failed(f"{self.argv[0]} did not start: {why}; it said: "
                                 f"{read(self.log_path)[-300:]!r}") from None
            time.sleep(0.01)

    def check_library(self):
        """A missing preload is only a line on stderr: look whether the variant is what it says."""
        if ("libunspin.so" in read(f"/proc/{self.process.pid}/maps")) != self.is_shimmed:
            raise Failed(f"the server is {'not ' * self.is_shimmed}under the shim")

    def explain(self, build):
        """What `unspin stat` says of each process under the shim; stats are read, not written."""
        env = {k: v for k, v in self.env.items() if k != "LD_PRELOAD"}
        texts = [subprocess.run([os.path.join(build, "unspin"), "stat", str(pid)], env=env,
                                capture_output=True, text=True).stdout
                 for pid in session_pids(self.process.pid)]
        return "\n".join(filter(None, texts))

    def usage(self):
        return Usage(self.process.pid)

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        """SIGTERM, in time SIGKILL. wait4 knows the switches of all threads that ever were."""
        if self.process.returncode is not None:
            return
        os.kill(self.process.pid, signal.SIGTERM)
        end = time.monotonic() + STOP_S
        while True:
            pid, status, rusage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                self.note = f"did not end within {STOP_S} s of SIGTERM"
                end = float("inf")
                os.killpg(self.process.pid, signal.SIGKILL)
            time.sleep(0.005)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.life_switches = rusage.ru_nvcsw + rusage.ru_nivcsw
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # children it left behind
        except ProcessLookupError:
            pass
