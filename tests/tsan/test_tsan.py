#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
No data race in the library, says ThreadSanitizer (make check-tsan: B is a build with it).

The hosts are the demo server's architectures with threads, the random programs of the differential
test and the worlds of the wake-up hunt. What those do themselves is not asked, nor whether their
own rules hold: ThreadSanitizer delivers signals late and holds descriptors of its own. Races for a
descriptor's number are left out, too: the random programs close what others use on purpose.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
B = os.path.join(ROOT, os.environ.get("B", "build-tsan"))
CC = os.environ.get("CC", "cc")
LIBRARY = "libunspin.so"
ALL_WAKES = "mask,gather,stretch,exclusive"
MODES = {"auto": {}, "block": {"UNSPIN_WRITE": "block"}, "spin": {"UNSPIN_WRITE": "spin"},
         "wakes": {"UNSPIN_WAKE": ALL_WAKES}}
ARCHES = ("dispatch", "dispatch-fix", "netty", "hybrid", "pipeline", "seda", "threads")
DIFFERENTIAL_SEEDS = (*range(13), 22)
HUNT_SEEDS = range(1, 13)
RUN_LIMIT_S = 60

failed = 0


def say(word, name, detail=""):
    global failed
    failed += word == "not ok"
    print(f"{word} {name}" + (": " + detail if detail else ""), flush=True)


def is_of_descriptor(frames):
    """Was this access none to memory, but a call the sanitizer knows descriptors by?"""
    return bool(frames) and "libsanitizer" in frames[0] and not re.match(r" *#0 (mem|str)",
                                                                         frames[0])


def races(place):
    """One line for each race of the library in the logs: where, and how often."""
    found = {}
    for path in glob.glob(os.path.join(place, "log.*")):
        with open(path, encoding="utf-8", errors="replace") as f:
            reports = f.read().split("==================\n")
        for report in reports:
            access = report.split("\n\n  Location is")[0].split("\n\n  Mutex")[0]
            accesses = [part for part in access.split("\n\n") if " of size " in part]
            summary = re.search(r"SUMMARY: ThreadSanitizer: (.*)", report)
            frames = [re.findall(r"^    #\d+ .*", part, re.M) for part in accesses]
            if not summary or any(map(is_of_descriptor, frames)):
                continue
            # The innermost frame that is not the sanitizer's own.
            inner = [[line for line in lines if "libsanitizer" not in line][:1]
                     for lines in frames]
            if accesses and not any(LIBRARY in line for lines in inner for line in lines):
                continue
            found[summary[1]] = found.get(summary[1], 0) + 1
    return [f"{text} ({count})" for text, count in sorted(found.items())]


def environment(place, settings, library):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("UNSPIN_") and k != "LD_PRELOAD"}
    return {**env, **settings, "UNSPIN_STATS_DIR": os.path.join(place, "stats"),
            "TSAN_OPTIONS": f"log_path={place}/log exitcode=0 die_after_fork=0 history_size=4",
            **({"LD_PRELOAD": library} if library else {})}


def program(place, name, seed, settings, library):
    with open(os.path.join(place, "out"), "w") as out:
        try:
            subprocess.run([os.path.join(B, name), "--preload", library, str(seed)], stdout=out,
                           stderr=out, timeout=RUN_LIMIT_S, stdin=subprocess.DEVNULL,
                           env=environment(place, settings, None), cwd=place)
        except subprocess.TimeoutExpired:
            pass  # only what it raced for matters


def load(port, *words):
    done = subprocess.run([os.path.join(B, "timedload"), "--port", port, "--conns", "24",
                           "--warmup-ms", "100", *words], capture_output=True, text=True,
                          timeout=RUN_LIMIT_S)
    if done.returncode or not re.search(r'"requests":[1-9]', done.stdout):
        raise RuntimeError(f"no load: {done.stdout[-200:]}{done.stderr[-200:]}")


def reactor(place, arch, settings, library):
    """Stalls on connections that stay, then many short ones."""
    log = os.path.join(place, "out")
    with open(log, "w") as out:
        server = subprocess.Popen([os.path.join(B, "reactor"), "--arch", arch, "--sndbuf", "16384"],
                                  stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                  env=environment(place, settings, library))
    try:
        end = time.monotonic() + 10
        while not (at := re.search(r":(\d+)", open(log).read())):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no server: {open(log).read()[-300:]}")
            time.sleep(0.02)
        load(at[1], "--time-ms", "1000", "--heavy", "/bytes/300000")
        load(at[1], "--time-ms", "700", "--heavy", "/bytes/30000", "--close")
    finally:
        server.terminate()
        server.wait(20)


def case(name, runs):
    """runs: of (function, arguments …) without the place."""
    with tempfile.TemporaryDirectory(prefix="unspin-tsan-") as place:
        try:
            for function, *arguments in runs:
                function(place, *arguments)
        except (RuntimeError, OSError, subprocess.SubprocessError) as why:
            say("not ok", name, repr(why).replace("\n", " "))
            return
        found = races(place)
        say("not ok" if found else "ok", name, " | ".join(found))


def control():
    """The naive library's race is found, so the others have been looked for."""
    with tempfile.TemporaryDirectory(prefix="unspin-tsan-") as place:
        library = os.path.join(place, LIBRARY)
        subprocess.run([CC, "-g", "-O1", "-fsanitize=thread", "-shared", "-fPIC", "-o", library,
                        os.path.join(HERE, "racy.c")], check=True)
        reactor(place, "netty", {}, library)
        reactor(place, "dispatch-fix", {}, library)
        found = races(place)
        say("ok" if any("racy.c" in line for line in found) else "not ok", "control",
            " | ".join(found))


def main():
    library = os.path.join(B, LIBRARY)
    if not os.path.exists(library):
        sys.exit(f"{library} is missing: make check-tsan")
    control()
    for mode, settings in MODES.items():
        case(f"differential_{mode}", [(program, "differential", seed, settings, library)
                                      for seed in DIFFERENTIAL_SEEDS])
    for mode in ("auto", "wakes"):
        case(f"hunt_{mode}", [(program, "hunt", seed, MODES[mode], library)
                              for seed in HUNT_SEEDS])
    for mode in ("auto", "block", "spin"):
        for arch in ARCHES:
            case(f"reactor_{arch}_{mode}", [(reactor, arch, MODES[mode], library)])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
