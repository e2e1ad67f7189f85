# SPDX-License-Identifier: MIT
"""What the transparency tests share: one scene, played bare, under each strategy, under mutants.

A scene is a helper program (tests/helpers/tr_*.c) that checks what it sees against what POSIX and
Linux allow. tr.scene() makes a case of it for each variant. `judge` gets the finished run and the
bare one and raises (ct.check) where only a comparison tells; lines that begin with "said" must be
the same as bare in any case.

A mutant (mutants/*.c) is a preload library that does the naive thing. tr.mutant() makes a case
that passes only when the same scene, judged the same way, FAILS under it: a test nobody can
fail tests nothing.
"""
import os
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "contract"))
import ct  # noqa: E402

# Waits long enough to be caught in the middle of; buffers the scenes fill soon.
# The scenes warm up from other places than they play in; test_callers.py tells these apart.
COMMON = {"UNSPIN_BLOCK_MAX_MS": 300, "UNSPIN_CALLERS": 0}
VARIANTS = {
    "bare": None,
    # The host's buffer sizes stay: otherwise growth leaves nothing to wait for. TR_WARM makes the
    # helpers spin first, so that auto knows them for spinners.
    "auto": {"UNSPIN_WRITE": "auto", "UNSPIN_OVERRIDE": 0, "TR_WARM": 1},
    "grow": {"UNSPIN_WRITE": "grow"},
    "spin": {"UNSPIN_WRITE": "spin"},
    "block": {"UNSPIN_WRITE": "block"},
}
WAITING = ("auto", "block")  # the variants that wait inside the call


class Play(ct.Run):
    """A finished scene; .totals by name when it ran under the shim."""

    def __init__(self, variant, name, args, settings, timeout, preload=None):
        with ct.Place() as place:
            env = place.env("adapt", TR_WARM=None, **COMMON)
            if preload or VARIANTS[variant] is None:
                env.pop("LD_PRELOAD")
            else:
                env.update({k: str(v) for k, v in VARIANTS[variant].items()})
            if preload:
                env["LD_PRELOAD"] = preload
            env.update({k: str(v) for k, v in settings.items() if v is not None})
            for k in (k for k, v in settings.items() if v is None):
                env.pop(k, None)
            super().__init__(place, [ct.helper(name), *map(str, args)], env, timeout)
            self.variant, self.totals = variant, self.read_totals(place)
        self.said = [line for line in self.out.splitlines() if line.startswith("said")]

    def read_totals(self, place):
        if not os.path.exists(place.path(self.pid)):
            return {}
        r = subprocess.run([ct.helper("tr_stats"), place.path(self.pid)], capture_output=True,
                           text=True)
        ct.check(r.returncode == 0, "tr_stats cannot read the statistics")
        return {name: int(value) for name, value in map(str.split, r.stdout.splitlines())}

    def must(self):
        """The helper's own verdict."""
        if self.rc == 77:
            raise ct.Skip(self.out.split("skip ", 1)[-1].strip())
        ct.check(self.rc == 0, f"exit code {self.rc}: {(self.err or self.out)[-700:]!r}")
        return self

    def median(self, name):
        return statistics.median(self.facts[name])

    def total(self, name):
        return self.totals.get(name, 0)


_bare = {}


def bare(key, *play):
    if key not in _bare:
        _bare[key] = Play("bare", *play).must()
    return _bare[key]


def compare_said(run, reference):
    for at, (wanted, got) in enumerate(zip(reference.said, run.said)):
        ct.check_equal(got, wanted, f"line {at} of what it said")
    ct.check_equal(len(run.said), len(reference.said), "lines it said")


def perform(variant, name, args, judge, settings, timeout, preload=None):
    key = (name, tuple(args), tuple(sorted(map(str, settings.items()))))
    reference = bare(key, name, args, settings, timeout)
    if variant == "bare" and not preload:
        run = reference
    else:
        run = Play(variant, name, args, settings, timeout, preload).must()
    compare_said(run, reference)
    if judge:
        judge(run, reference)


def scene(title, name, *args, judge=None, variants=tuple(VARIANTS), timeout=25, settings=None):
    """One case per variant: TITLE_VARIANT."""
    for variant in variants:
        ct.case(f"{title}_{variant}")(
            lambda v=variant: perform(v, name, args, judge, settings or {}, timeout))


_built = None


def mutant_path(source):
    """Compiles mutants/SOURCE.c once per test."""
    global _built
    _built = _built or tempfile.TemporaryDirectory(prefix="unspin-mutants-")
    path = os.path.join(_built.name, source + ".so")
    if not os.path.exists(path):
        r = subprocess.run([ct.CC, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-shared",
                            "-fPIC", "-o", path, os.path.join(HERE, "mutants", source + ".c"),
                            "-ldl", "-lpthread"], capture_output=True, text=True)
        ct.check(r.returncode == 0, f"compiling {source}: {r.stderr[-600:]}")
    return path


def must_fail(title, play):
    def run():
        try:
            play()
        except ct.Failed as e:
            ct.check("compiling" not in str(e), str(e))
            return
        raise ct.Failed("the naive implementation passes")
    ct.case(title)(run)


def mutant(source, title, name, *args, judge=None, timeout=25, settings=None):
    """The scene must fail under mutants/SOURCE.c: mutant_SOURCE_fails_TITLE."""
    must_fail(f"mutant_{source}_fails_{title}",
              lambda: perform("bare", name, args, judge, settings or {}, timeout,
                              mutant_path(source)))


def forced_fails(variant, title, name, *args, judge=None, timeout=25, settings=None):
    """Where the naive thing is to treat every stall: a forced strategy is the mutant."""
    must_fail(f"forced_{variant}_fails_{title}",
              lambda: perform(variant, name, args, judge, settings or {}, timeout))


main = ct.main
