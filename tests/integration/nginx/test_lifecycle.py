#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
nginx's own ways of starting, replacing and ending processes: each worker has a file of its own
that names the master, made before it drops to www-data; reload and binary upgrade lose no
request; whatever ends a process, its statistics can be read afterwards, by file and by pid.
"""

import os
import pwd
import signal
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import counts_equal
from common import (Skip, Suite, box, children, equal, is_alive, is_root, kill_group, stat, total,
                    true, wait_until)
from fetch import SLOW
from servers import Nginx, NginxDaemon, inside, namespace


def nginx(workers=1, main="", make=Nginx):
    server = make({"MODE": "observe"})
    server.workers = workers
    server.main = main
    return server


def workers_of(master, count):
    return wait_until("%d workers" % count,
                      lambda: len(children(master)) == count and children(master))


class Load:
    """Requests one after the other, each on a new connection, until it is left."""

    def __init__(self, server, threads=3):
        self.server = server
        self.errors = []
        self.requests = 0
        self.is_over = False
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]

    def work(self):
        while not self.is_over:
            try:
                with self.server.connect() as connection:
                    connection.fetch("10k")
                self.requests += 1
            except Exception as error:
                self.errors.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *unused):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        equal("failed requests", [repr(error) for error in self.errors[:3]], [])

    def wait_for_more(self, count=30):
        end = self.requests + count
        wait_until("%d more requests" % count,
                   lambda: self.requests >= end or self.errors or None)


def worker_has_own_file():
    with nginx(workers=2) as server:
        master = server.main_pid()
        workers = workers_of(master, 2)
        with server.connect() as connection:
            connection.fetch("1m")
        live = server.stats()
        equal("processes with a file", sorted(live), sorted([master] + workers))
        equal("the master's parent", live[master]["parent_pid"], 0)
        for worker in workers:
            equal("a worker's parent", live[worker]["parent_pid"], master)
            equal("a worker's state", live[worker]["state"], "running")
            equal("a worker's program", os.path.basename(live[worker]["exe"]), "nginx")
        equal("accepts, in all", total(live, "accepts"), server.connections)
        equal("accepts of the master", live[master]["totals"]["accepts"], 0)


def worker_without_privileges_counts():
    if not is_root():
        raise Skip("only root can start workers that drop privileges")
    with nginx() as server:
        worker, = workers_of(server.main_pid(), 1)
        equal("user of the worker", os.stat("/proc/%d" % worker).st_uid,
              pwd.getpwnam("www-data").pw_uid)
        with server.connect() as connection:
            connection.fetch("100k")
        one = stat(worker, server.stats_dir)
        equal("accepts of the worker", one["totals"]["accepts"], server.connections)
        path = os.path.join(server.stats_dir, str(worker))
        equal("owner of its file", os.stat(path).st_uid, 0)
        equal("mode of its file", os.stat(path).st_mode & 0o777, 0o600)


def ended_by(number):
    with nginx() as server:
        master = server.main_pid()
        worker, = workers_of(master, 1)
        with server.connect() as connection:
            connection.fetch("100k")
        if number == signal.SIGKILL:
            # The last bytes reach the client before the write that sent them is counted.
            server.settle()
            kill_group(server.process.pid)
        else:
            os.kill(master, number)
        wait_until("the processes to end", lambda: not is_alive(worker) and not is_alive(master))
        for form in (worker, os.path.join(server.stats_dir, str(worker))):
            one = stat(form, server.stats_dir)
            equal("state", one["state"], "ended")
            equal("accepts", one["totals"]["accepts"], server.connections)
            true("write_bytes less than was received", one["totals"]["write_bytes"] > 100 << 10)
        equal("state of the master", stat(master, server.stats_dir)["state"], "ended")


def reload_under_load():
    with nginx(workers=2) as server:
        master = server.main_pid()
        generations = [workers_of(master, 2)]
        with Load(server) as load:
            for _ in range(3):
                os.kill(master, signal.SIGHUP)
                wait_until("the old workers to go",
                           lambda: not any(is_alive(pid) for pid in generations[-1]))
                generations.append(workers_of(master, 2))
                load.wait_for_more()
        stats = server.stats()
        every = sum(generations, [])
        equal("processes with a file", sorted(stats), sorted([master] + every))
        for pid in every:
            equal("parent of worker %d" % pid, stats[pid]["parent_pid"], master)
            equal("state of worker %d" % pid, stats[pid]["state"],
                  "running" if pid in generations[-1] else "ended")
        equal("accepts, in all", total(stats, "accepts"), server.connections)
        for generation in generations[1:-1]:
            true("a generation of workers counted nothing",
                 sum(stats[pid]["totals"]["accepts"] for pid in generation))


def reload_counts_equal_strace():
    def load(server):
        master = server.main_pid()
        for _ in range(2):
            with server.connect(SLOW) as connection:
                connection.fetch("1m")
            old = children(master)
            os.kill(master, signal.SIGHUP)
            wait_until("new workers", lambda: len(children(master)) == 2
                       and not set(old) & set(children(master)))
    counts_equal(lambda settings, tracer: TwoWorkers(settings, tracer), load, "observe")


class TwoWorkers(Nginx):
    workers = 2


def graceful_quit_finishes_answer():
    with nginx() as server:
        worker, = workers_of(server.main_pid(), 1)
        with server.connect(SLOW) as connection:
            connection.ask("/8m")
            length = connection.answer_length()  # before that it would be none of its business
            os.kill(server.main_pid(), signal.SIGQUIT)
            connection.expect("8m", length, connection.body(length))
        wait_until("the worker to end", lambda: not is_alive(worker))
        one = stat(worker, server.stats_dir)
        true("write_bytes less than was received", one["totals"]["write_bytes"] > 8 << 20)


def worker_crash():
    with nginx() as server:
        server.is_silent = False  # the master reports the signal
        master = server.main_pid()
        first, = workers_of(master, 1)
        with server.connect() as connection:
            connection.fetch("1m")
        before = server.connections
        os.kill(first, signal.SIGKILL)
        wait_until("a new worker", lambda: children(master) and first not in children(master))
        second, = children(master)
        with server.connect() as connection:
            connection.fetch("1m")
        dead, live = stat(first, server.stats_dir), stat(second, server.stats_dir)
        equal("state of the dead worker", dead["state"], "ended")
        equal("accepts of the dead worker", dead["totals"]["accepts"], before)
        true("write_bytes of the dead worker", dead["totals"]["write_bytes"] > 1 << 20)
        equal("accepts of the new worker", live["totals"]["accepts"], server.connections - before)
        equal("parent of the new worker", live["parent_pid"], master)


def worker_without_room():
    """Room for the master's file, none for the worker's: it runs without, and spoils nothing."""
    if not is_root():
        raise Skip("in a namespace of one user nginx cannot start its workers")
    server = nginx()
    server.wrapper = namespace('mkdir "{0}"; mount -t tmpfs -o size=2m none "{0}"'
                               .format(server.stats_dir))
    with server:
        master = server.main_pid()
        directory = inside(server, server.stats_dir)
        before = stat(os.path.join(directory, str(master)))["totals"]
        with server.connect() as connection:
            connection.fetch("1m")
            connection.fetch("100")
        equal("files", os.listdir(directory), [str(master)])
        after = stat(os.path.join(directory, str(master)))["totals"]
        equal("the master's totals", after, before)


def upgrade(main, is_shimmed):
    """
    USR2: the master executes the new binary; WINCH: its own workers go; QUIT: so does it. nginx
    gives the new binary an environment of its own making: without the directives, no shim.
    """
    with nginx(main=main, make=NginxDaemon) as server:
        old = server.main_pid()
        old_worker, = workers_of(old, 1)
        with Load(server) as load:
            os.kill(old, signal.SIGUSR2)
            wait_until("the new master", lambda: os.path.exists(server.pid_path + ".oldbin")
                       and os.path.exists(server.pid_path) and server.main_pid() != old)
            new = server.main_pid()
            worker, = workers_of(new, 1)
            os.kill(old, signal.SIGWINCH)
            wait_until("the old worker to end", lambda: not is_alive(old_worker))
            load.wait_for_more()
            os.kill(old, signal.SIGQUIT)
            wait_until("the old master to end", lambda: not is_alive(old))
            load.wait_for_more()
        with open("/proc/%d/maps" % worker) as maps:
            equal("library in the new worker", "libunspin" in maps.read(), is_shimmed)
        stats = server.stats()
        equal("the old worker's state", stats[old_worker]["state"], "ended")
        if is_shimmed:
            equal("parent of the new worker", stats[worker]["parent_pid"], new)
            equal("state of the new worker", stats[worker]["state"], "running")
            equal("accepts, in all", total(stats, "accepts"), server.connections)
        else:
            true("a file of a worker without the shim", worker not in stats)
            true("the program before the upgrade is shown as running",
                 new not in stats or stats[new]["state"] == "replaced")
        server.is_silent = False  # it reports the sockets it has inherited
        os.kill(new, signal.SIGTERM)
        wait_until("the new master to end", lambda: not is_alive(new))
        box.abandon(old)


def upgrade_with_environment():
    upgrade("env LD_PRELOAD; env UNSPIN_MODE; env UNSPIN_STATS_DIR;", True)


def upgrade_without_environment():
    upgrade("", False)


suite = Suite()
suite.run("worker_has_own_file_and_names_master", worker_has_own_file)
suite.run("worker_of_user_www_data_counts", worker_without_privileges_counts)
for name in ("TERM", "QUIT", "KILL"):
    suite.run("ended_by_%s_statistics_readable" % name.lower(), ended_by,
              getattr(signal, "SIG" + name))
suite.run("reload_under_load_loses_nothing", reload_under_load)
suite.run("reload_counts_equal_strace", reload_counts_equal_strace)
suite.run("graceful_quit_finishes_slow_answer", graceful_quit_finishes_answer)
suite.run("worker_crash_is_survived_and_readable", worker_crash)
suite.run("worker_without_room_for_a_file_serves", worker_without_room)
suite.run("upgrade_with_env_directives_keeps_shim", upgrade_with_environment)
suite.run("upgrade_without_env_directives_serves", upgrade_without_environment)
suite.end()
