# SPDX-License-Identifier: MIT
"""
Real servers on free ports of 127.0.0.1, with or without the shim, each in a process group of its
own. A server is a context manager:

    with Nginx(settings={"MODE": "observe"}) as server:
        server.connect(FAST).fetch("1m")
    server.stats()      # pid -> statistics, of living and of ended processes
"""

import functools
import os
import signal
import subprocess

from common import (LIB, PATIENCE_S, Failed, Skip, box, environment, equal, free_port, is_root,
                    need, run, stats_of_all, wait_until, wait_until_idle)
from fetch import FAST, FAST_SMALL_SEGMENTS, SIZES, Http, Redis, content

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"


@functools.lru_cache(maxsize=None)
def document_root():
    path = box.directory("documents")
    for name in SIZES:
        with open(os.path.join(path, name), "wb") as f:
            f.write(content(name))
    return path


class Server:
    """
    settings   UNSPIN_* values (without the prefix) for a run under the shim; None: without it
    tracer     strace.Strace, or None
    extra      more environment
    wrapper    argv to put before the program's (prlimit, unshare ...)
    """
    client = Http
    fast = FAST       # the pace of its fast clients
    detaches = False  # the process that was started ends once the server is up
    is_cancellable = False  # its threads allow cancellation anywhere: the shim sends nothing in them
    is_silent = True  # it writes nothing to stdout and stderr but what says() allows

    def __init__(self, settings=None, tracer=None, extra=None, preload=LIB, wrapper=(), limits=()):
        self.settings = settings
        self.tracer = tracer
        self.extra = extra
        self.preload = preload
        self.wrapper = list(wrapper)
        self.limits = limits
        self.stats_dir = box.file("stats")
        self.process = None
        self.port = None
        self.connections = 0  # made so far, the look whether it is ready included

    def __enter__(self):
        return self.start()

    def __exit__(self, error_class, *unused):
        if error_class:
            self.kill()  # the error at hand says more than what stop() would find
        else:
            self.stop()

    # What a server's class says of it.

    def argv(self):
        raise NotImplementedError

    def prepare(self):
        """Files and ports before the start."""

    def find_port(self):
        """The port once it is known, else None. By default the one chosen by prepare()."""
        return self.chosen_port

    def says(self):
        """What the server itself writes to stdout and stderr in an undisturbed run."""
        return ""

    def main_pid(self):
        """The server's first process, below the tracer and wrappers."""
        return self.process.pid if not self.tracer else self.tracer.main_pid()

    # What is the same for all.

    def start(self):
        for tries_left in (2, 1, 0):
            try:
                self.start_once()
                return self
            except Failed as why:
                self.kill()
                # Somebody may take a free port between our look and the server's bind.
                if not tries_left or "in use" not in self.output():
                    raise Failed("%s; it said: %s" % (why, self.output()[-500:])) from None

    def start_once(self):
        self.prepare()
        self.output_path = box.file("output")
        env = environment(self.settings, self.stats_dir, self.preload, self.extra)
        argv = self.wrapper + self.argv()
        if self.tracer:
            argv, env = self.tracer.wrap(argv, env)
        with open(self.output_path, "wb") as output:
            self.process = box.start(argv, env=env, stdout=output, stderr=subprocess.STDOUT,
                                     limits=self.limits)
        if self.tracer:
            self.tracer.attach(self.process)
        wait_until("%s to start" % type(self).__name__, self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None and not (self.detaches and self.process.poll() == 0):
            raise Failed("it ended with code %d" % self.process.returncode)
        self.port = self.find_port()
        try:
            if self.port:
                self.connect().close()
                return True
        except ConnectionRefusedError:
            pass
        return False

    def connect(self, pace=None):
        connection = self.client(self.port, pace or self.fast)
        self.connections += 1
        return connection

    def output(self):
        with open(self.output_path, errors="replace") as f:
            return f.read()

    def settle(self):
        wait_until_idle(self.process.pid)

    def kill(self):
        box.finish(self.process)

    def stop(self, number=signal.SIGTERM):
        """Ends the server and checks that nobody but itself has spoken."""
        if self.process.poll() is None:
            os.kill(self.main_pid(), number)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failed("%s did not end on signal %d" % (type(self).__name__, number)) from None
        finally:
            self.kill()
        self.check_silence()

    def check_silence(self):
        output = self.output()
        if "unspin" in output.lower() or "ld.so" in output:
            raise Failed("the library spoke: %r" % output[-300:])
        if self.is_silent:
            equal("output of the server", output, self.says())

    def stats(self):
        return stats_of_all(self.stats_dir)

    def responses_so_far(self):
        """Answers the start itself has drawn."""
        return 0


def namespace(script):
    """argv that runs the rest of the command line in a mount namespace, after a shell script."""
    own_users = [] if is_root() else ["--map-root-user"]
    unshare = [need("unshare"), "--mount"] + own_users
    if run(unshare + ["true"]).returncode:
        raise Skip("mount namespaces are not allowed here")
    return unshare + ["/bin/sh", "-ec", script + '\nexec "$@"', "sh"]


def inside(server, path):
    """The path as the server sees it."""
    return "/proc/%d/root%s" % (server.main_pid(), path)


class Nginx(Server):
    """Master and workers; the workers drop to www-data when the test runs as root."""
    workers = 1
    daemon = "off"
    listen = ""  # more parameters of the listen directive
    main = ""    # more lines of the main context

    def prepare(self):
        self.program = need("nginx")
        self.chosen_port = free_port()
        self.home = box.directory("nginx")
        os.chmod(self.home, 0o755)
        self.pid_path = os.path.join(self.home, "pid")
        with open(os.path.join(self.home, "conf"), "w") as f:
            f.write("""
%s
%s
daemon %s;
worker_processes %d;
pid %s;
error_log stderr warn;
events { worker_connections 256; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 100000;
    client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c;
    uwsgi_temp_path %s/d; scgi_temp_path %s/e;
    server { listen 127.0.0.1:%d %s; root %s; }
}
""" % (("user www-data;" if is_root() else "", self.main, self.daemon, self.workers,
                 self.pid_path)
                + (self.home,) * 5 + (self.chosen_port, self.listen, document_root())))

    def argv(self):
        # -g: the compiled-in error log is opened before the configuration is read.
        return [self.program, "-p", self.home, "-c", os.path.join(self.home, "conf"),
                "-e", "stderr"]

    def find_port(self):
        """It listens before it has written its pid."""
        has_pid = os.path.exists(self.pid_path) and os.path.getsize(self.pid_path)
        return self.chosen_port if has_pid else None

    def main_pid(self):
        def text():
            with open(self.pid_path) as f:
                return f.read()  # empty while it is being written
        return int(wait_until("nginx's pid", text))


class NginxDaemon(Nginx):
    """A master in a session of its own: only such a one takes USR2 and WINCH."""
    daemon = "on"
    detaches = True

    def is_ready(self):
        is_ready = super().is_ready()
        if is_ready:
            box.adopt(self.main_pid())
        return is_ready


class NginxSmallBuffer(Nginx):
    fast = FAST_SMALL_SEGMENTS
    listen = "sndbuf=16k"


class Store(Server):
    """A server that is told what it is asked for later."""

    def start(self):
        super().start()
        with self.connect() as client:
            for name in SIZES:
                client.store(name)
        return self


class RedisServer(Store):
    client = Redis
    is_cancellable = True  # makeThreadKillable(), of the main thread too
    is_silent = False  # it logs to stdout

    def prepare(self):
        self.program = need("redis-server")
        self.chosen_port = free_port()

    def argv(self):
        return [self.program, "--port", str(self.chosen_port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", box.path, "--proto-max-bulk-len", "64mb"]

    def responses_so_far(self):
        return len(SIZES)


class Script(Server):
    """A server of ours that binds port 0 and says "port N" when it is ready."""

    def find_port(self):
        words = self.output().split("\n")[0].split()
        return int(words[1]) if words[:1] == ["port"] and len(words) > 1 else None

    def says(self):
        return "port %d\n" % self.port


class Asyncio(Script):
    script = "server.py"
    arguments = ()

    def argv(self):
        need(PYTHON)
        return [PYTHON, "-B", os.path.join(HERE, "asyncio", self.script), document_root(),
                *self.arguments]


class Node(Script):
    def argv(self):
        return [need("node"), os.path.join(HERE, "node", "server.js"), document_root()]
