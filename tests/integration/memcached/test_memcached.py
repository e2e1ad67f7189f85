#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
memcached: libevent threads, and `-o drop_privileges`, a seccomp filter that answers EACCES to
most of what the library could want to ask (sendto, poll, getsockopt, setsockopt, and write but to
stdout and stderr): the shim must count on and change nothing.
"""

import os
import pwd
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import MODES, byte_exact, check_served, check_stake, run_counts
from common import HELPERS, Failed, Skip, box, equal, free_port, is_root, need, run, stat, total, true
from fetch import SLOW, Connection, content, in_parallel
from servers import Store


FILTER = os.path.join(HELPERS, "it_filter")


class Client(Connection):
    """The text protocol: set and get."""

    def store(self, name):
        body = content(name)
        self.socket.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (name.encode(), len(body), body))
        if self.until(b"\r\n") != b"STORED":
            raise Failed("set %s refused" % name)

    def fetch(self, name):
        self.socket.sendall(b"get %s\r\n" % name.encode())
        length = int(self.until(b"\r\n").split()[3])
        got = self.body(length)
        if self.until(b"END\r\n") != b"\r\n":
            raise Failed("answer %s does not end as it should" % name)
        self.expect(name, length, got)


class Memcached(Store):
    client = Client
    options = ()

    def prepare(self):
        self.program = need("memcached")
        self.chosen_port = free_port()
        # It drops to "nobody" before it makes its first socket, with which the file is made.
        os.mkdir(self.stats_dir)
        os.chmod(self.stats_dir, 0o1777)

    def argv(self):
        user = ["-u", "nobody"] if is_root() else []
        return [self.program, "-l", "127.0.0.1", "-p", str(self.chosen_port), "-U", "0",
                "-I", "16m", "-m", "128", "-t", "2", *user, *self.options]


class MemcachedDropped(Memcached):
    options = ("-o", "drop_privileges")


class MemcachedFiltered(Memcached):
    def __init__(self, *args, **more):
        super().__init__(*args, wrapper=[FILTER], **more)


def check_treated(server, mode, stats):
    check_served(server, stats)
    check_stake(mode, stats)


def check_filter(server):
    """The premise: the threads run under seccomp filters."""
    with open("/proc/%d/status" % server.main_pid()) as f:
        true("no seccomp filter is in place", "Seccomp:\t2" in f.read())


def check_refused(server, mode, stats):
    """It tried, was told no, and let it be."""
    check_served(server, stats)
    for counter in ("growths", "retries"):
        equal(counter + " under the filter", total(stats, counter), 0)
    for one in stats.values():
        refused = one["totals"]["globals"]["aux_refused"]
        true("aux_refused: %d" % refused, 1 <= refused <= 4)


def dropped_user_has_default_directory():
    """Without UNSPIN_STATS_DIR the file goes where the user it becomes may write."""
    if not is_root():
        raise Skip("only root can start a server that drops privileges")
    user = pwd.getpwnam("nobody").pw_uid
    server = Memcached({"STATS_DIR": ""}, extra={"XDG_RUNTIME_DIR": box.directory("runtime")})
    directory = "/dev/shm/unspin-%d" % user
    with server:
        path = os.path.join(directory, str(server.main_pid()))
        try:
            server.connect().fetch("1m")
            equal("accepts", stat(path)["totals"]["accepts"], server.connections)
            equal("owner", os.stat(path).st_uid, user)
        finally:
            if os.path.exists(path):
                os.unlink(path)
            if os.path.isdir(directory) and not os.listdir(directory):
                os.rmdir(directory)


def small_load(server):
    def slow_reader():
        with server.connect(SLOW) as connection:
            connection.fetch("1m")
            connection.fetch("8m")
            connection.fetch("100")
    in_parallel([slow_reader] * 3)


def exact_under_filter(mode):
    """Debian's is built without: there a filter like it is put before the start."""
    has_option = b"drop_privileges" in run([need("memcached"), "-h"]).stdout
    if not has_option and run([FILTER, "/bin/true"]).returncode:
        raise Skip("built without drop_privileges, and seccomp filters are not allowed here")
    byte_exact(MemcachedDropped if has_option else MemcachedFiltered, mode, check_refused,
               check_filter)


suite = run_counts(Memcached, small_load)
for name in MODES:
    suite.run("memcached_%s_answers_are_byte_exact" % name, byte_exact, Memcached, name,
              check_treated)
    if name not in ("bare", "off"):
        suite.run("memcached_drop_privileges_%s_answers_are_byte_exact" % name, exact_under_filter,
                  name)
suite.run("memcached_dropped_user_has_default_directory", dropped_user_has_default_directory)
suite.end()
