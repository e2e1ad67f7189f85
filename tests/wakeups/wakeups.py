# SPDX-License-Identifier: MIT
"""What the wake-up tests share: the ways the policies can be told to act, mutants, case lines."""
import glob
import json
import os
import re
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
B = os.path.join(ROOT, os.environ.get("B", "build"))
LIB = os.path.abspath(os.path.join(ROOT, os.environ.get("LIB", os.path.join(B, "libunspin.so"))))
CC = os.environ.get("CC", "cc")

_lock = threading.Lock()
_failed = 0


def say(word, name, detail=""):
    """One case line: ok, not ok, skip."""
    global _failed
    with _lock:
        _failed += word == "not ok"
        print(f"{word} {name}" + (": " + " | ".join(detail.split("\n")) if detail else ""), flush=True)


def note(text):
    with _lock:
        print(f"# {text}", flush=True)


def exit_code():
    return 1 if _failed else 0


def policies():
    """The words of UNSPIN_WAKE that name a policy, from the library's own table: what it does not
    know (yet) is not asked of it."""
    with open(os.path.join(ROOT, "shim", "config.def"), encoding="utf-8") as f:
        row = re.search(r'OPT_SET\(wake, "WAKE", \w+,\s*"([^"]*)"', f.read())
    return [word for word in row.group(1).split("|") if word not in ("auto", "off")]


def modes():
    """Name to settings. Stretching as long as it may, so that it is met often."""
    known = policies()
    found = {"auto": {"UNSPIN_WAKE": "auto"}, "off": {"UNSPIN_WAKE": "off"},
             "observe": {"UNSPIN_MODE": "observe"}, "all": {"UNSPIN_WAKE": ",".join(known)},
             **{word: {"UNSPIN_WAKE": word} for word in known}}
    return {name: {"UNSPIN_STRETCH_MAX_US": "5000", **settings} for name, settings in found.items()}


def environment(place, settings={}):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("UNSPIN_") and k != "LD_PRELOAD"}
    env.update(settings, UNSPIN_STATS_DIR=os.path.join(place, "stats"))
    return env


def statistics(path):
    """A statistics file by the library's own reader."""
    out = subprocess.run([os.path.join(B, "unspin"), "stat", "--json", path], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def mutants(*wanted):
    """Paths of those whose first lines say "caught: RULE" of these rules; all without any."""
    paths = sorted(glob.glob(os.path.join(HERE, "mutants", "*.c")))
    return [p for p in paths if not wanted or set(header(p, "caught")) & set(wanted)]


def header(path, word):
    with open(path, encoding="utf-8") as f:
        found = re.search(r"/\* %s: ([^*]*) \*/" % word, f.read())
    return found.group(1).split() if found else []


def compile_mutant(path, place):
    """The library, or None after a failed case."""
    name = os.path.basename(path)[:-2]
    library = os.path.join(place, name + ".so")
    made = subprocess.run([CC, "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", library, path],
                          capture_output=True, text=True)
    if made.returncode:
        say("not ok", f"mutant_{name}", made.stderr[-400:])
        return None
    return library


def must_exist(*paths):
    for path in paths:
        if not os.path.exists(path):
            sys.exit(f"{path} is missing; run make")
