#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The statistics file: private, never through links, never at the host's cost, there after the
host's death; and without it the host runs on, silently."""
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

NOBODY = 65534


def file_helper(place, *args, wrap=(), **settings):
    return ct.Run(place, [*wrap, ct.helper("ct_file"), *args], place.env(**settings))


def silent(r, expects=10):
    ct.check_equal((r.rc, r.err), (0, ""), "exit code and stderr")
    ct.check_equal(r.expects.get("writes"), expects, "the program's own end")
    return r


def as_own_pid(what):
    """A shell that plants something under its own number and then becomes the program."""
    return ("/bin/sh", "-c", f'd=$UNSPIN_STATS_DIR; mkdir -p "$d"; f="$d/$$"; {what}; exec "$@"',
            "planter")


class Sandbox(ct.Place):
    """A place of its own mount namespace's making: mounts vanish with the last process."""

    def run(self, script, *args, **settings):
        ct.need_root()
        ct.need_tool("unshare", "mount")
        probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", self.top],
                               capture_output=True)
        if probe.returncode:
            raise ct.Skip("cannot mount in a namespace of its own here")
        # The shell itself is not under the library; the program it ends in is.
        env = self.env(**settings)
        preload = env.pop("LD_PRELOAD")
        full = f"set -e; {script}"
        return ct.Run(self, ["unshare", "-m", "/bin/bash", "-c", full, "sandbox", *args],
                      dict(env, CT_PRELOAD=preload, HELPER=ct.helper("ct_file"), TOP=self.top),
                      timeout=40)


UNDER = 'LD_PRELOAD=$CT_PRELOAD "$HELPER"'

# ---- private, and not through links -------------------------------------------------------


@ct.case("file_is_private")
def private():
    for mask in (0, 0o022, 0o077):
        with ct.Place() as place:
            r = silent(ct.Run(place, [ct.helper("ct_file"), "use"], place.env(),
                              preexec_fn=lambda: os.umask(mask)))
            st = os.stat(place.path(r.pid))
            ct.check_equal(oct(stat.S_IMODE(st.st_mode)), "0o600", f"mode with umask {mask:o}")
            ct.check_equal(oct(stat.S_IMODE(os.stat(place.dir).st_mode)), "0o700", "directory")
            ct.check_equal((st.st_uid, st.st_nlink), (os.geteuid(), 1), "owner and links")
            ct.check_equal(st.st_size, r.stats.header.file_bytes, "size")
            ct.check(st.st_blocks * 512 >= st.st_size, "blocks are not allocated: SIGBUS later")


@ct.case("link_in_the_files_place_is_not_followed")
def link_file():
    for kind in ("ln -s ../victim", "ln -s /nonexistent/x", 'ln "$d/../victim"'):
        with ct.Place() as place:
            victim = os.path.join(place.top, "victim")
            with open(victim, "w") as f:
                f.write("precious")
            r = silent(file_helper(place, "use", wrap=as_own_pid(f"{kind} \"$f\"")))
            ct.check_equal(open(victim).read(), "precious", f"victim of {kind}")
            if os.path.exists(place.path(r.pid)) and not os.path.islink(place.path(r.pid)):
                ct.check(not os.path.samefile(place.path(r.pid), victim) or
                         open(victim).read() == "precious", "the victim was written to")


@ct.case("other_things_in_the_files_place_do_no_harm")
def planted():
    for what in ('mkdir "$f"', 'mkfifo "$f"', 'mkdir "$f"; touch "$f/x"',
                 'touch "$f"; chmod 0 "$f"'):
        with ct.Place() as place:
            silent(file_helper(place, "use", wrap=as_own_pid(what)))


@ct.case("foreign_file_with_our_number_is_not_removed")
def foreign_same_number():
    with ct.Place() as place:
        r = silent(file_helper(place, "use", wrap=as_own_pid('yes my diary | head -n 1000 >"$f"')))
        ct.check_equal(open(place.path(r.pid), "rb").read(), b"my diary\n" * 1000, "the user's file")


@ct.case("link_in_the_directorys_place_is_not_followed")
def link_dir():
    with ct.Place() as place:
        target = os.path.join(place.top, "target")
        os.mkdir(target)
        os.symlink("target", place.dir)
        silent(file_helper(place, "use"))
        ct.check_equal(os.listdir(target), [], "files behind the link")


@ct.case("stale_file_of_the_same_number_is_replaced")
def stale():
    with ct.Place() as place:
        old = silent(file_helper(place, "use")).pid
        copy = os.path.join(place.top, "copy")
        shutil.copyfile(place.path(old), copy)
        r = silent(file_helper(place, "use", wrap=as_own_pid(f'ln {copy} "$f"')))
        ct.check_equal(r.stats.header.pid, r.pid, "pid in the file")
        ct.check_equal(r.stats.total("writes"), 10, "writes: not added to the old ones")
        ct.check_equal(ct.Stats(copy).header.pid, old, "pid in the old file: it was written to")


@ct.case("directory_of_somebody_else_is_not_used")
def somebody_else():
    with Sandbox() as place:
        runtime = os.path.join(place.top, "runtime")
        os.makedirs(os.path.join(runtime, "unspin"))
        os.chown(os.path.join(runtime, "unspin"), NOBODY, NOBODY)
        r = place.run(f"mount -t tmpfs none /run; mount -t tmpfs none /dev/shm; {UNDER} use; "
                      "ls -d /run/unspin; ls /run/unspin | wc -l", UNSPIN_STATS_DIR=None,
                      XDG_RUNTIME_DIR=runtime)
        silent(r)
        ct.check_equal(os.listdir(os.path.join(runtime, "unspin")), [], "the other's directory")
        ct.check(r.out.endswith("/run/unspin\n1\n"), f"the next candidate: {r.out[-200:]!r}")


# ---- never at the host's cost -------------------------------------------------------------


@ct.case("file_size_limit_kills_nobody")
def fsize():
    for limit in (0, 4096, 1 << 20):
        with ct.Place() as place:
            r = silent(ct.Run(place, [ct.helper("ct_file"), "use"], place.env(), preexec_fn=lambda:
                              resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))
            ct.check(not os.path.exists(place.path(r.pid)), f"a file beyond the limit {limit}")


@ct.case("full_tmpfs_kills_nobody")
def full():
    with Sandbox() as place:
        r = place.run("mkdir -p $UNSPIN_STATS_DIR; mount -t tmpfs -o size=64k none "
                      f"$UNSPIN_STATS_DIR; {UNDER} use; ls $UNSPIN_STATS_DIR | wc -l")
        silent(r)
        ct.check_equal(r.out.split()[-1], "0", "files left on the full file system")


@ct.case("tmpfs_that_fills_up_later_kills_nobody")
def fills():
    with Sandbox() as place:
        r = place.run(
            "mkdir -p $UNSPIN_STATS_DIR; mount -t tmpfs -o size=6m none $UNSPIN_STATS_DIR; "
            f"coproc p {{ {UNDER} touches; }}; "
            'until read -r line <&${p[0]} && echo "$line" && [[ $line == ready ]]; do :; done; '
            "! dd if=/dev/zero of=$UNSPIN_STATS_DIR/junk bs=64k 2>/dev/null; "
            "eval 'exec 9>&'${p[1]} ; "
            'echo go >&9; exec 9>&-; read -r line <&${p[0]}; echo "$line"; wait $p_PID')
        silent(r)
        ct.check(r.out.endswith("done\n"), r.out[-200:])


@ct.case("read_only_directory_is_done_without")
def read_only():
    with Sandbox() as place:
        r = place.run("mkdir -p $UNSPIN_STATS_DIR; mount -t tmpfs -o ro none $UNSPIN_STATS_DIR; "
                      f"{UNDER} use")
        silent(r)


@ct.case("directory_without_permission_is_done_without")
def no_permission():
    ct.need_root()
    with ct.Place() as place:
        os.mkdir(place.dir, 0o500)
        os.chmod(place.top, 0o755)
        program = shutil.copy(ct.helper("ct_file"), place.top)
        library = shutil.copy(ct.LIB, place.top)
        for mode in (0o500, 0o700, 0o555):
            os.chmod(place.dir, mode)
            r = ct.Run(place, [program, "use"], place.env(LD_PRELOAD=library), user=NOBODY)
            silent(r)
            ct.check_equal(os.listdir(place.dir), [], "files")


@ct.case("signals_do_not_prevent_the_file")
def rain():
    with ct.Place() as place:
        for _ in range(5):
            r = silent(file_helper(place, "rain"))
            ct.check_equal(r.stats.total("writes"), 10, "writes")


# ---- there after the host's death ---------------------------------------------------------


@ct.case("killed_process_leaves_its_statistics")
def killed():
    with ct.Place() as place:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            p = subprocess.Popen([ct.helper("ct_file"), "stays"], env=place.env(),
                                 stdout=subprocess.PIPE, text=True)
            try:
                ct.wait_until(lambda: p.stdout.readline() == "ready\n", what="the program")
                ct.check_equal(place.stats(p.pid).total("writes"), 10, "while it runs")
            finally:
                p.send_signal(number)
                p.wait()
                p.stdout.close()
            ct.check_equal(place.stats(p.pid).total("writes"), 10, f"after signal {number}")


@ct.case("dropped_privileges_and_chroot_change_nothing")
def drops():
    ct.need_root()
    for chroot in (False, True):
        with ct.Place() as place:
            jail = os.path.join(place.top, "jail")
            os.mkdir(jail)
            r = file_helper(place, "drops", *([jail] if chroot else []))
            silent(r, expects=7)
            ct.check_equal(r.stats.total("writes"), 7, "writes before and after the drop")
            ct.check(not os.path.exists(place.path(r.fact("child"))), "the child made a file")
            ct.check_equal(os.listdir(jail), [], "files in the jail")


@ct.case("no_descriptor_is_left_open")
def descriptors():
    native = subprocess.run([ct.helper("ct_file"), "descriptors"], capture_output=True, text=True,
                            check=True, stdin=subprocess.DEVNULL, start_new_session=True).stdout
    ct.check(native.count("fd ") > 6, native)
    for settings in ({"mode": "observe"}, {"mode": "adapt", "UNSPIN_WRITE": "grow"},
                     {"UNSPIN_STATS_DIR": "/proc/no"}, {"mode": "off"}):
        with ct.Place() as place:
            r = file_helper(place, "descriptors", **settings)
            ct.check_equal((r.rc, r.out), (0, native), str(settings))


# ---- raised privileges --------------------------------------------------------------------


@ct.case("setuid_program_is_left_alone")
def setuid():
    ct.need_root()
    with ct.Place() as place:
        os.chmod(place.top, 0o755)
        program = shutil.copy(ct.helper("ct_file"), place.top)
        library = shutil.copy(ct.LIB, place.top)
        os.chmod(program, 0o4755)
        r = ct.Run(place, [program, "identity"], place.env(LD_PRELOAD=library), user=NOBODY)
        silent(r)
        if r.fact("euid") != 0:
            raise ct.Skip("set-uid programs do not work here (nosuid)")
        ct.check_equal((r.fact("uid"), r.fact("is_loaded")), (NOBODY, 0), "user, library loaded")
        ct.check(not os.path.exists(place.dir), "a directory was made with root's rights")


@ct.case("library_in_a_setuid_program_does_nothing")
def secure():
    # ld.so loads a preload from its own directories if that is set-uid itself: as an existing
    # library's name, in a mount namespace.
    carrier = "/usr/lib/x86_64-linux-gnu/libpcprofile.so"
    if not os.path.exists(carrier):
        raise ct.Skip(f"no {carrier} to stand in for")
    with Sandbox() as place:
        os.chmod(place.top, 0o755)
        program = shutil.copy(ct.helper("ct_file"), place.top)
        library = shutil.copy(ct.LIB, place.top)
        os.chmod(program, 0o4755)
        os.chmod(library, 0o4755)
        r = place.run(f"mount --bind {library} {carrier}; LD_PRELOAD=libpcprofile.so "
                      f"setpriv --reuid {NOBODY} --clear-groups {program} identity",
                      UNSPIN_VERBOSE="1", UNSPIN_NONSENSE="1")
        # setpriv itself is no set-uid program: the library is right to speak in it.
        ct.check_equal(r.err.count("NONSENSE"), 1, "times the environment was read")
        ct.check_equal((r.rc, r.fact("euid"), r.fact("is_loaded")), (0, 0, 1), "as root, loaded")
        ct.check(not os.path.exists(place.dir), "a directory was made with root's rights")


# ---- the sweep ----------------------------------------------------------------------------

KEEP = 32


def plant_dead(place, count):
    """Files of processes that are long dead, the higher the number the newer."""
    os.makedirs(place.dir, mode=0o700, exist_ok=True)
    pids = range(5000000, 5000000 + count)
    for n, pid in enumerate(pids):
        with open(place.path(pid), "wb") as f:
            f.write(ct.layout().magic.to_bytes(8, "little") + bytes(8192))
        os.utime(place.path(pid), (1000000 + n * 10, 1000000 + n * 10))
    return list(pids)


@ct.case("sweep_removes_the_oldest_dead_only")
def sweep():
    with ct.Place() as place:
        dead = plant_dead(place, 100)
        live = [os.getpid(), os.getppid(), 1]
        for pid in live:
            with open(place.path(pid), "wb") as f:
                f.write(ct.layout().magic.to_bytes(8, "little") + bytes(8192))
            os.utime(place.path(pid), (10, 10))
        for name in ("notes", "12x", "0123", "-5"):
            open(os.path.join(place.dir, name), "w").close()
        diary = place.path(5000777)
        with open(diary, "w") as f:
            f.write("dear diary " * 1000)
        os.utime(diary, (5, 5))
        r = ct.Run(place, [*ct.SWEEPER, ct.helper("ct_file"), "use"], place.env()).ok()
        left = set(os.listdir(place.dir))
        ct.check_equal(sorted(int(n) for n in left & {str(p) for p in dead}), dead[-KEEP:],
                       "dead files left")
        ct.check({str(p) for p in live} <= left, "a living process's file was removed")
        ct.check({"notes", "12x", "0123", "-5"} <= left, "a file that is none of ours was removed")
        ct.check(os.path.exists(diary), "a user's file with a number for a name was removed")
        ct.check_equal(place.stats(r.fact("sweeper")).total("writes"), 10, "the sweeper's own")


@ct.case("sweep_bounds_what_forks_leave")
def workers():
    with ct.Place() as place:
        r = file_helper(place, "workers", "150").ok()
        left = len(os.listdir(place.dir))
        ct.check(KEEP <= left <= KEEP + 20, f"{left} files after 150 workers")
        ct.check(os.path.exists(place.path(r.pid)), "the parent's own file")


@ct.case("sweep_spares_a_small_collection")
def spares():
    with ct.Place() as place:
        dead = plant_dead(place, KEEP - 1)
        ct.Run(place, [*ct.SWEEPER, ct.helper("ct_file"), "use"], place.env()).ok()
        ct.check(set(map(str, dead)) <= set(os.listdir(place.dir)), "one was removed")


ct.main()
