#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Calls that come before our constructor: glibc runs it after the main program's .preinit_array
and after the constructors of other libraries. They must work, and be none of our business."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

LIBRARY = """
    #include "tests/helpers/ct_early.h"
    __attribute__((constructor)) static void begin(void)
    {
        early_calls();
        early_open();
        fact("constructed", 1);
        fflush(stdout);
    }
    void library_late(void) { late_use(); }
"""
PROGRAM = """
    #include "tests/helpers/ct.h"
    #include <dlfcn.h>
    int main(void)
    {
        void (*late)(void) = dlsym(RTLD_DEFAULT, "library_late");
        MUST(late);
        late();
        return 0;
    }
"""
LATE_WRITES = 10


@ct.case("every_row_before_our_constructor")
def every_row():
    wanted = subprocess.run([ct.helper("ct_errno"), "early"], capture_output=True, text=True,
                            check=True).stdout
    ct.check(len(wanted.splitlines()) > 600, "the program printed too little")
    with ct.Place() as place:
        for mode in ("observe", "adapt"):
            r = ct.Run(place, [ct.helper("ct_errno"), "early"], place.env(mode=mode)).ok()
            wrong = [f"{a} -> {b}" for a, b in zip(wanted.splitlines(), r.out.splitlines())
                     if a != b]
            ct.check(not wrong and len(r.out) == len(wanted), f"native -> here: {wrong[:4]}")
            ct.check(not os.path.exists(place.path(r.pid)), "a statistics file was made")


@ct.case("preinit_array_and_a_thread_across_our_constructor")
def preinit():
    with ct.Place() as place:
        r = ct.Run(place, [ct.helper("ct_early")], place.env()).ok()
        late = r.stats.socket(r.fact("late_fd"))
        ct.check_equal(late.writes, LATE_WRITES, "writes on a socket opened early")
        # What the thread wrote before the constructor is not seen; the rest is, once each.
        across = sum(s.writes for s in r.stats.sockets if s.fd == r.fact("across_fd"))
        ct.check(0 < across <= r.fact("across_writes"),
                 f"{across} of {r.fact('across_writes')} writes of the early thread")


def library(place, linked):
    flags = ("-shared", "-fPIC", f"-I{ct.ROOT}", "-pthread")
    lib = ct.compile_c(place, "libearly.so", LIBRARY, *flags)
    more = (f"-L{place.top}", "-Wl,--no-as-needed", "-l:libearly.so",
            f"-Wl,-rpath,{place.top}") if linked else ()
    return lib, ct.compile_c(place, "program", PROGRAM, f"-I{ct.ROOT}", "-pthread", "-ldl", *more)


@ct.case("constructor_of_a_linked_library")
def linked():
    with ct.Place() as place:
        _, program = library(place, True)
        r = ct.Run(place, [program], place.env()).ok()
        ct.check_equal(r.fact("constructed"), 1, "the other constructor")
        ct.check_equal(r.stats.total("writes"), LATE_WRITES, "writes after our constructor")


@ct.case("constructor_of_another_preloaded_library")
def preloaded():
    # glibc runs constructors from the last object to the first: after us in the list is before us.
    with ct.Place() as place:
        lib, program = library(place, False)
        r = ct.Run(place, [program], place.env(LD_PRELOAD=f"{ct.LIB}:{lib}")).ok()
        ct.check_equal(r.fact("constructed"), 1, "the other constructor")
        ct.check_equal(r.stats.total("writes"), LATE_WRITES, "writes after our constructor")
        r = ct.Run(place, [program], place.env(LD_PRELOAD=f"{lib}:{ct.LIB}")).ok()
        ct.check(r.stats.total("writes") >= LATE_WRITES, "ours first: all is seen")


ct.main()
