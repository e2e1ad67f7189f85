#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Descriptors are closed, duplicated, reused and passed on, processes fork, vfork and exec:
counts stay with the right socket and the right process."""
import collections
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

OPEN, CLOSED = 2, 3


def rows_with_writes(stats):
    return collections.Counter((s.fd, "open" if s.state == OPEN and not s.closed_ns else "closed",
                                s.writes) for s in stats.sockets if s.writes)


def check_children(place, r):
    lines = [line.split() for line in r.out.splitlines() if line.startswith("child ")]
    seen = 0
    for _, pid, parent, writes in lines:
        # Of the dead, the oldest are swept when there are many.
        if not os.path.exists(place.path(pid)):
            continue
        seen += 1
        child = place.stats(pid)
        ct.check_equal((child.header.pid, child.header.parent_pid, child.total("writes")),
                       (int(pid), int(parent), int(writes)), "child's pid, parent, writes")
        ct.check_equal(sum(s.writes for s in child.sockets), int(writes), "writes in its rows")
        if "child_listener" in r.facts:
            ct.check_equal(child.socket(r.fact("child_listener")).is_listener, 1, "listener")
            ct.check_equal(child.total("accepts"), 1, "accepts of the child")
    ct.check(seen >= min(len(lines), 20), f"{seen} of {len(lines)} children left a file")


def add(name, **settings):
    @ct.case(f"life_{name}_{settings.get('mode', 'observe')}")
    def life():
        with ct.Place() as place:
            r = ct.run("ct_life", name, place=place, **settings).ok()
            ct.compare(r.stats, r.expects)
            wanted = collections.Counter(
                (int(fd), state, int(writes)) for _, fd, state, writes in
                (line.split() for line in r.out.splitlines() if line.startswith("row ")))
            if wanted:
                got = rows_with_writes(r.stats)
                missing = wanted - got
                ct.check(not missing, f"no such row: {dict(missing)}, but {dict(got - wanted)}")
                more = {k: n for k, n in (got - wanted).items() if k[0] in {w[0] for w in wanted}}
                ct.check(not more, f"more rows than sockets: {more}")
            if "strangers" in r.facts:
                ct.check_equal(r.stats.globals["strangers"], r.fact("strangers"), "strangers")
            ct.check_equal(r.stats.header.parent_pid, 0, "parent of the first process")
            check_children(place, r)


for scenario in subprocess.run([ct.helper("ct_life")], capture_output=True, text=True,
                               check=True).stdout.split():
    add(scenario)
for scenario in ("dup2_over", "reuse_syscall", "forks", "fork_storm", "vforks"):
    add(scenario, mode="adapt", UNSPIN_WRITE="grow")


@ct.case("life_fork_without_sockets_leaves_no_file")
def no_sockets():
    with ct.Place() as place:
        r = ct.Run(place, ["/bin/sh", "-c", "(echo a; /bin/echo b) | cat; exit 0"], place.env())
        ct.check_equal((r.rc, r.out), (0, "a\nb\n"), "the shell")
        ct.check(not os.path.exists(place.dir), "files of processes without sockets: "
                 f"{os.path.exists(place.dir) and os.listdir(place.dir)}")


@ct.case("life_children_without_a_directory")
def no_directory():
    # Private memory instead of a file: each process counts on its own, nobody hangs.
    for name in ("forks", "fork_storm", "vforks"):
        with ct.Place() as place:
            ct.run("ct_life", name, place=place, UNSPIN_STATS_DIR="/proc/nowhere").ok()


ct.main()
