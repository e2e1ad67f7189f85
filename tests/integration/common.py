# SPDX-License-Identifier: MIT
"""
What every integration test needs: results, a private directory, processes that never outlive the
test, and the statistics of a process as `unspin stat --json` shows them.

    suite = Suite()                     # prints "ok NAME", "not ok NAME: why", "skip NAME: why"
    suite.run("name", function, ...)    # the function raises Failed or Skip, or just returns
    suite.end()                         # exit code: 0, 1 (something failed), 77 (all skipped)

A test's processes are children in sessions of their own, at work in the test's private directory.
A warden process kills them and removes the directory when the test is gone, however it went: also
by SIGKILL.
"""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
B = os.path.join(ROOT, os.environ.get("B", "build"))
LIB = os.path.join(ROOT, os.environ.get("LIB", os.path.join(B, "libunspin.so")))
UNSPIN = os.path.join(ROOT, os.environ.get("UNSPIN", os.path.join(B, "unspin")))
HELPERS = os.path.join(B, "helpers")

# On 2 noisy cores shared with other work a server start under strace was seen to take 6 s.
PATIENCE_S = 60


class Failed(Exception):
    """The case failed; the text says what was expected and what was seen."""


class Skip(Exception):
    """The case cannot run here; the text says why."""


def equal(what, got, want):
    if got != want:
        raise Failed("%s: got %r, expected %r" % (what, got, want))


def true(what, condition):
    if not condition:
        raise Failed(what)


class Suite:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        for path in (LIB, UNSPIN):
            if not os.path.exists(path):
                print("not ok setup: %s is missing; run make" % path, flush=True)
                sys.exit(1)

    def run(self, name, function, *args):
        try:
            function(*args)
        except Skip as why:
            self.skipped += 1
            print("skip %s: %s" % (name, why), flush=True)
        except Failed as why:
            self.failed += 1
            print("not ok %s: %s" % (name, why), flush=True)
        except Exception as error:
            self.failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print("not ok %s: %r at %s:%d" % (name, error, os.path.basename(where.filename),
                                              where.lineno), flush=True)
        else:
            self.passed += 1
            print("ok %s" % name, flush=True)

    def end(self):
        box.close()
        if self.failed:
            sys.exit(1)
        sys.exit(0 if self.passed or not self.skipped else 77)


class Box:
    """
    The test's private directory, and the working directory of whatever the test starts: that is
    how the warden knows what to end, daemons that left their session included.
    """

    def __init__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="unspin-it-"))
        os.chmod(self.path, 0o755)  # servers drop privileges and still read their files
        self.groups = set()
        self.count = 0
        self.pipe = self.start_warden()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))

    def start_warden(self):
        read_end, write_end = os.pipe()
        if os.fork():
            os.close(read_end)
            return write_end
        # The warden: no output, no part in the test's own signals, no working directory in the box.
        os.setsid()
        os.close(write_end)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.read(read_end, 1)  # returns when the test is gone
        for _ in range(100):
            # Again until there is nothing: what is being killed may still start and write.
            is_quiet = not kill_all_in(self.path)
            shutil.rmtree(self.path, ignore_errors=True)
            if is_quiet and not os.path.exists(self.path):
                break
            time.sleep(0.02)
        os._exit(0)

    def file(self, name):
        """A new path in the box; nothing is made."""
        self.count += 1
        return os.path.join(self.path, "%d.%s" % (self.count, name))

    def directory(self, name):
        path = self.file(name)
        os.mkdir(path)
        return path

    def start(self, argv, env=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
              stdin=subprocess.DEVNULL, limits=()):
        """A process that leads its own session and process group."""
        def before_exec():
            os.setsid()
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            for kind, value in limits:
                resource.setrlimit(kind, (value, value))
        process = subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr,
                                   cwd=self.path, preexec_fn=before_exec)
        self.adopt(process.pid)
        return process

    def finish(self, process):
        """The group, and so whatever the process left behind, is killed and forgotten."""
        self.abandon(process.pid)
        process.wait()

    def adopt(self, group):
        """A process group that a daemon made for itself."""
        self.groups.add(group)

    def abandon(self, group):
        kill_group(group)
        self.groups.discard(group)

    def close(self):
        for group in list(self.groups):
            kill_group(group)
        os.close(self.pipe)  # the warden does the rest


def kill_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def kill_all_in(directory):
    """Kills every process that works in the directory; were there any?"""
    found = False
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/cwd" % pid).split(" (deleted)")[0] == directory:
                os.kill(int(pid), signal.SIGKILL)
                found = True
        except OSError:
            pass
    return found


box = Box()


def environment(settings=None, stats_dir=None, preload=LIB, extra=None):
    """
    The environment of a process: clean of UNSPIN_* and LD_PRELOAD, and with the shim and its
    settings (names without UNSPIN_) when settings is not None.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("UNSPIN_") and k != "LD_PRELOAD"}
    if settings is not None:
        env["LD_PRELOAD"] = preload
        env.update({"UNSPIN_" + k: str(v) for k, v in settings.items()})
        if stats_dir and "STATS_DIR" not in settings:
            env["UNSPIN_STATS_DIR"] = stats_dir
    env.update(extra or {})
    return env


def run(argv, env=None, timeout=PATIENCE_S, **more):
    """Runs to the end; CompletedProcess with bytes. Killed with its group after the timeout."""
    process = box.start(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    try:
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)
    except subprocess.TimeoutExpired:
        raise Failed("%s did not end within %d s" % (argv[0], timeout)) from None
    finally:
        box.finish(process)


def stat_command(what, stats_dir=None):
    env = environment()
    if stats_dir:
        env["UNSPIN_STATS_DIR"] = stats_dir
    return run([UNSPIN, "stat", "--json", str(what)], env=env)


def stat(what, stats_dir=None):
    """The statistics of a process (its pid, looked for in stats_dir) or in a file (its path)."""
    done = stat_command(what, stats_dir)
    if done.returncode:
        raise Failed("unspin stat --json %s: exit code %d, %s"
                     % (what, done.returncode, done.stderr.decode().strip()))
    return json.loads(done.stdout)


def stats_of_all(stats_dir):
    """pid -> statistics, for every file a test's processes left in their directory."""
    names = os.listdir(stats_dir) if os.path.isdir(stats_dir) else []
    return {int(name): stat(os.path.join(stats_dir, name)) for name in sorted(names)}


def total(all_stats, name):
    return sum(one["totals"][name] for one in all_stats.values())


def wait_until(what, condition, timeout=PATIENCE_S):
    """Polls until the condition holds and returns its value; Failed when it never does."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("waited %d s for %s" % (timeout, what))
        time.sleep(0.01)


def free_port():
    """A port nobody listens on now. Servers that can bind port 0 themselves do not need it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def process_table():
    """Of every thread: (pid, tid, state letter, parent, process group)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for tid in os.listdir("/proc/%s/task" % pid):
                with open("/proc/%s/task/%s/stat" % (pid, tid)) as f:
                    state, parent, group = f.read().rsplit(")", 1)[1].split()[:3]
                yield int(pid), int(tid), state, int(parent), int(group)
        except OSError:
            pass  # it has just ended


def is_alive(pid):
    return any(tid == pid and state not in "ZX" for _, tid, state, _, _ in process_table())


def children(pid):
    return sorted({child for child, _, _, parent, _ in process_table() if parent == pid})


def wait_until_idle(group):
    """
    Waits until all threads of a process group sleep and stay asleep. A process killed in the
    middle of something ends between the shim's count of a wait and the wait itself.
    """
    looks = 0
    while looks < 5:
        states = [state for _, _, state, _, their in process_table() if their == group]
        looks = looks + 1 if set(states) <= set("SZ") else 0
        time.sleep(0.01)


def is_root():
    return os.geteuid() == 0


def need(program):
    """The path of a program, or Skip."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not path:
        raise Skip("%s is not installed" % program)
    return path
