# SPDX-License-Identifier: MIT
"""What the contract tests share: cases, running a helper under the shim, reading its statistics.

A test module defines functions decorated with @case("name") and ends in `ct.main()`. A case
passes when it returns; it fails by raising (ct.check raises), and skips by raising ct.Skip.

Statistics files are read here independently of tools/, by the offsets build/helpers/ct_layout
prints, so that a mistake in the reader cannot hide one in the library.
"""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
B = os.path.join(ROOT, os.environ.get("B", "build"))
LIB = os.environ.get("LIB", os.path.join(B, "libunspin.so"))
UNSPIN = os.environ.get("UNSPIN", os.path.join(B, "unspin"))
LIB, UNSPIN = os.path.abspath(LIB), os.path.abspath(UNSPIN)
CC = os.environ.get("CC", "cc")


class Skip(Exception):
    """The case cannot be run here; the text says why."""


class Failed(Exception):
    pass


def check(condition, detail):
    if not condition:
        raise Failed(detail)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, wanted {wanted!r}")


_cases = []


def case(name):
    def add(function):
        _cases.append((name, function))
        return function
    return add


def traced_calls(place, name, scenario, **settings):
    """The system calls of a helper's scenario under the shim, by name, as strace saw them."""
    log, full = os.path.join(place.top, "log"), place.env(**settings)
    argv = ["strace", "-f", "-o", log]
    for key in [k for k in full if k.startswith("UNSPIN_") or k == "LD_PRELOAD"]:
        argv += ["-E", f"{key}={full.pop(key)}"]
    r = Run(place, [*argv, helper(name), scenario], full)
    if "ptrace" in r.err.lower():
        raise Skip("ptrace is not allowed here")
    r.ok()
    with open(log) as lines:
        return [line.split(None, 1)[1].split("(")[0] for line in lines]


def main():
    """Runs every case (or those whose names contain an argument); 0, 1, or 77 for all skipped."""
    wanted = sys.argv[1:]
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    for name, function in _cases:
        if wanted and not any(w in name for w in wanted):
            continue
        try:
            function()
            word, detail = "ok", ""
        except Skip as e:
            word, detail = "skip", str(e)
        except (Failed, subprocess.TimeoutExpired) as e:
            word, detail = "not ok", str(e)
        except Exception as e:  # a broken test is a failed test
            word, detail = "not ok", f"{e!r} {traceback.format_exc(limit=-3)}"
        counts[word] += 1
        detail = " | ".join(detail.split("\n"))
        detail = detail if len(detail) < 1500 else f"{detail[:700]} ... {detail[-700:]}"
        print(f"{word} {name}" + (f": {detail}" if detail else ""), flush=True)
    if counts["not ok"]:
        sys.exit(1)
    sys.exit(0 if counts["ok"] else 77)


def helper(name):
    path = os.path.join(B, "helpers", name)
    if not os.path.exists(path):
        raise Failed(f"{path} is not built (make)")
    return path


class Place:
    """A private statistics directory; removed on exit, with everything in it."""

    def __enter__(self):
        self.top = tempfile.mkdtemp(prefix="unspin-ct-")
        self.dir = os.path.join(self.top, "stats")
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.top, ignore_errors=True)

    def env(self, mode="observe", **settings):
        """The environment of a process under the shim; a value of None removes a variable."""
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("UNSPIN_") and k not in ("LD_PRELOAD", "XDG_RUNTIME_DIR")}
        env.update(LD_PRELOAD=LIB, UNSPIN_STATS_DIR=self.dir, UNSPIN_MODE=mode)
        for key, value in settings.items():
            env.pop(key, None)
            if value is not None:
                env[key] = str(value)
        return env

    def path(self, pid):
        return os.path.join(self.dir, str(pid))

    def stats(self, pid):
        check(os.path.exists(self.path(pid)), f"no statistics file of {pid} in {self.dir}: "
              f"{os.listdir(self.dir) if os.path.isdir(self.dir) else 'no directory'}")
        return Stats(self.path(pid))


class Run:
    """A finished helper: its output, its `expect` and `fact` lines, its statistics."""

    def __init__(self, place, argv, env, timeout=30, **popen):
        popen.setdefault("stdin", subprocess.DEVNULL)
        self.place = place
        process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, **popen)
        self.pid = process.pid
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise Failed(f"{' '.join(argv)}: hung ({timeout} s); said {out[-400:]!r} {err[-400:]!r}")
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # what the helper left behind
            except ProcessLookupError:
                pass
        self.rc, self.out, self.err = process.returncode, out.decode(), err.decode()
        self.expects, self.facts = {}, {}
        for line in self.out.splitlines():
            word = line.split()
            if len(word) >= 3 and word[0] == "expect":
                self.expects[word[1]] = int(word[2])
            elif len(word) >= 3 and word[0] == "fact":
                self.facts.setdefault(word[1], []).append(int(word[2]))

    def ok(self):
        check(self.rc == 0, f"exit code {self.rc}: {self.err[-600:] or self.out[-600:]!r}")
        return self

    def fact(self, name):
        check(name in self.facts, f"helper said no {name!r}: {self.out[-300:]!r}")
        return self.facts[name][-1]

    @property
    def stats(self):
        return self.place.stats(self.pid)


# Totals that must be 0 unless a helper expects otherwise: what must not fire.
MUST_NOT_FIRE = ("eagain_writes short_writes spin_episodes spin_writes spinners resumes "
                 "unused_out dry_in herd_accepts idle_polls unknown_events").split()


def run(name, *args, mode="observe", timeout=30, place=None, popen={}, **settings):
    """Runs a helper under the shim, to its end. Without a place, in one of its own."""
    if place is None:
        with Place() as own:
            r = run(name, *args, mode=mode, timeout=timeout, place=own, popen=popen, **settings)
            if os.path.exists(own.path(r.pid)):
                r.kept = Stats(own.path(r.pid))
            return r
    return Run(place, [helper(name), *map(str, args)], place.env(mode, **settings), timeout,
               **popen)


def run_expecting(name, *args, also=(), **settings):
    """Runs a helper and compares every total it expects, and those that must not fire."""
    r = run(name, *args, **settings).ok()
    check(hasattr(r, "kept"), "it left no statistics file")
    compare(r.kept, r.expects)
    return r


def compare(stats, expects):
    wanted = dict.fromkeys(MUST_NOT_FIRE, 0)
    wanted.update(expects)
    wrong = [f"{k} {stats.total(k)} (wanted {v})" for k, v in wanted.items()
             if stats.total(k) != v]
    check(not wrong, "; ".join(wrong))


# Runs "$@" as a process whose number is a multiple of 8: the ones that sweep (stats_sweep.h).
SWEEPER = ("/bin/bash", "-c", """for i in {1..200}; do
    ( if ((BASHPID % 8)); then exit 3; fi; echo "fact sweeper $BASHPID"; exec "$@" ); r=$?
    [ $r -eq 3 ] || exit $r
done; exit 4""", "sweeper")


class Layout:
    """The output of ct_layout."""

    def __init__(self):
        self.text = subprocess.run([helper("ct_layout")], check=True, capture_output=True,
                                   text=True).stdout
        self.fields, self.sizes, self.names = {}, {}, {}
        for line in self.text.splitlines():
            word = line.split()
            if word[0] == "field":
                self.fields.setdefault(word[1], {})[word[2]] = tuple(map(int, word[3:6]))
            elif word[0] == "size":
                self.sizes[word[1]] = int(word[2])
            elif word[0] == "name":
                self.names.setdefault(word[1], []).append(word[3])
            elif word[0] == "magic":
                self.magic = int(word[1])


_layout = None


def layout():
    global _layout
    _layout = _layout or Layout()
    return _layout


CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
SIGNED = {"pid", "parent_pid", "tid", "fd", "epfd"}
TEXTS = {"name", "exe", "version_text", "stats_dir", "value"}


class Row(dict):
    __getattr__ = dict.__getitem__


def decode(data, at, kind):
    row = Row()
    for name, (offset, size, count) in layout().fields[kind].items():
        raw = data[at + offset:at + offset + size * count]
        if name in TEXTS:
            row[name] = raw.split(b"\0")[0].decode(errors="replace")
        elif size in CODES:
            code = CODES[size].lower() if name in SIGNED else CODES[size]
            values = struct.unpack(f"<{count}{code}", raw)
            row[name] = values[0] if count == 1 else values
        elif (kind, name) in (("socket_row", "local"), ("socket_row", "peer")):
            row[name] = decode(data, at + offset, "stats_addr")
        else:
            row[name] = raw
    return row


class Stats:
    """One statistics file, decoded at the moment of construction."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            data = f.read()
        self.header = h = decode(data, 0, "stats_header")
        check_equal(h.magic, layout().magic, f"magic of {path}")
        sections = []
        offset, size, count = layout().fields["stats_header"]["section"]
        for n in range(count):
            sections.append(decode(data, offset + n * size, "section"))
        kinds = ("thread_row", "socket_row", "epoll_row", "decision_row", "class_row")
        rows = [[decode(data, s.offset + i * s.stride, kind)
                 for i in range(s.count) if self.used(data, s.offset + i * s.stride, kind)]
                for s, kind in zip(sections, kinds)]
        self.threads, self.sockets, self.epolls, self.decisions, self.classes = rows
        self.threads = [t for t in self.threads if t.state == 2]
        sites = [decode(h.waste, i * layout().sizes["waste_site"], "waste_site")
                 for i in range(layout().fields["stats_header"]["waste"][2])]
        self.sites = [s for s in sites if s.address]
        names = layout().names
        self.totals = {name: h.departed[n] + sum(t.total[n] for t in self.threads)
                       for n, name in enumerate(names["total"])}
        self.globals = {name: h["global"][n] for n, name in enumerate(names["global"])}

    @staticmethod
    def used(data, at, kind):
        return data[at:at + (8 if kind == "decision_row" else 4)].strip(b"\0") != b""

    def total(self, name):
        return self.totals[name]

    def socket(self, fd, is_open=None):
        """The newest row of a descriptor number; is_open: only open (True) or closed ones."""
        rows = [s for s in self.sockets if s.fd == fd and
                (is_open is None or is_open == (s.state == 2))]
        check(rows, f"no socket row of descriptor {fd}")
        return max(rows, key=lambda s: s.opened_ns)

    def reason(self, row):
        return layout().names["reason"][row.reason]

    def strategy(self, row):
        return layout().names["strategy"][row.strategy]


def wait_until(question, seconds=10, what="condition"):
    end = time.monotonic() + seconds
    while not question():
        check(time.monotonic() < end, f"{what} did not come true within {seconds} s")
        time.sleep(0.01)


def is_root():
    return os.geteuid() == 0


def need_root():
    if not is_root():
        raise Skip("needs root")


def need_tool(*names):
    for name in names:
        if not shutil.which(name):
            raise Skip(f"{name} is not installed")


def compile_c(place, name, source, *flags):
    """Compiles a few lines of C into the place; returns the path."""
    path = os.path.join(place.top, name)
    r = subprocess.run([CC, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-x", "c", "-",
                        "-o", path, *flags], input=source, text=True, capture_output=True)
    check(r.returncode == 0, f"compiling {name}: {r.stderr[-600:]}")
    return path
