#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The library never says a word: no byte on stdout or stderr in any mode, with any settings, with
any directory; the one exception is UNSPIN_VERBOSE=1."""
import os
import sys

sys.dont_write_bytecode = True
import ct


def silent(place, what, **settings):
    r = ct.Run(place, [ct.helper("ct_use")], place.env(**settings))
    ct.check_equal((r.rc, r.out, r.err), (0, "", ""), what)


@ct.case("silent_in_every_mode")
def modes():
    for mode in ("off", "observe", "adapt"):
        for write in ("auto", "off", "grow"):
            with ct.Place() as place:
                silent(place, f"{mode} {write}", mode=mode, UNSPIN_WRITE=write)
                ct.check_equal(os.path.isdir(place.dir), mode != "off",
                               f"mode {mode} has a statistics directory")


@ct.case("silent_with_bad_settings")
def settings():
    bad = {
        "a bad word": {"mode": "sideways"},
        "an empty word": {"mode": ""},
        "an unknown name": {"UNSPIN_NONSENSE": "1", "UNSPIN_": "x"},
        "numbers": {"UNSPIN_SNDBUF_MAX": "-5", "UNSPIN_STATS_SOCKETS": "0",
                    "UNSPIN_SNDBUF_BUDGET": "99999999999999999999999", "UNSPIN_OVERRIDE": "maybe"},
        "many": {f"UNSPIN_X{i}": "y" * 200 for i in range(300)},
        "long": {"UNSPIN_" + "N" * 5000: "v" * 5000, "UNSPIN_WRITE": "z" * 60000},
        "bytes": {"UNSPIN_MODE": "\udcff\udcfe%s%n", "UNSPIN_\udcff": "\udcff"},
        "the smallest tables": {"UNSPIN_STATS_SOCKETS": "16", "UNSPIN_STATS_THREADS": "8"},
        "the largest tables": {"UNSPIN_STATS_SOCKETS": "262144", "UNSPIN_STATS_THREADS": "4096"},
    }
    for what, env in bad.items():
        with ct.Place() as place:
            silent(place, what, **{"mode": "adapt", **env} if "mode" not in env else env)


@ct.case("silent_with_bad_directories")
def directories():
    with ct.Place() as place:
        top = place.top
        open(os.path.join(top, "file"), "w").close()
        os.symlink("nowhere", os.path.join(top, "dangling"))
        os.mkdir(os.path.join(top, "closed"), 0)
        for path in ("relative/path", os.path.join(top, "file"), os.path.join(top, "file/below"),
                     os.path.join(top, "dangling"), os.path.join(top, "no/such/parent"),
                     os.path.join(top, "closed/below"), "/proc/self/nothing", "/dev/null",
                     "/" + "x" * 250, "/" + "x" * 5000, "/" * 200, ""):
            silent(place, path[:60], mode="adapt", UNSPIN_STATS_DIR=path)
        silent(place, "an unset one", mode="adapt", UNSPIN_STATS_DIR=None,
               XDG_RUNTIME_DIR=os.path.join(top, "runtime"))


@ct.case("silent_without_stdio")
def closed():
    # With 0 to 2 closed the host's sockets get these numbers: a stray byte would reach a client.
    with ct.Place() as place:
        for mode in ("observe", "adapt"):
            r = ct.Run(place, ["/bin/sh", "-c", "exec \"$0\" <&- >&- 2>&-", ct.helper("ct_use")],
                       place.env(mode=mode, UNSPIN_WRITE="grow"))
            ct.check_equal((r.rc, r.out, r.err), (0, "", ""), mode)


@ct.case("verbose_names_bad_settings_and_nothing_else")
def verbose():
    with ct.Place() as place:
        r = ct.Run(place, [ct.helper("ct_use")], place.env(UNSPIN_VERBOSE="1"))
        ct.check_equal((r.rc, r.out, r.err), (0, "", ""), "nothing to complain about")
        r = ct.Run(place, [ct.helper("ct_use")],
                   place.env(UNSPIN_VERBOSE="1", UNSPIN_NONSENSE="1", UNSPIN_WRITE="sideways"))
        ct.check_equal((r.rc, r.out), (0, ""), "stdout")
        lines = r.err.splitlines()
        ct.check(len(lines) == 2 and any("UNSPIN_NONSENSE" in l for l in lines) and
                 any("UNSPIN_WRITE" in l for l in lines), r.err)
        r = ct.Run(place, [ct.helper("ct_use")], place.env(UNSPIN_VERBOSE="0", UNSPIN_NO="1"))
        ct.check_equal(r.err, "", "verbose off")


@ct.case("settings_not_taken_are_in_the_statistics")
def problems():
    with ct.Place() as place:
        r = ct.Run(place, [ct.helper("ct_use")],
                   place.env(UNSPIN_NONSENSE="7", UNSPIN_OVERRIDE="maybe")).ok()
        ct.check_equal(r.stats.header.problem_count, 2, "problems")


ct.main()
