#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the built library promises to the dynamic linker, and what its objects may not call."""
import glob
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import ct

OLDEST_GLIBC = (2, 17)
TLS_LIMIT = 256


def tool(*argv):
    r = subprocess.run(argv, text=True, capture_output=True)
    ct.check(r.returncode == 0, f"{' '.join(argv[:2])}: {r.stderr[-300:]}")
    return r.stdout


def table():
    """The names of symbols.def, by the preprocessor: (functions, aliases)."""
    source = ('#define SYM(class, ret, name, ...) sym name\n'
              '#define ALIAS(name, alias) ali alias\n#include "shim/symbols.def"\n')
    out = subprocess.run([ct.CC, "-E", "-P", "-x", "c", f"-I{ct.ROOT}", "-"], input=source,
                         text=True, capture_output=True, check=True).stdout
    words = out.split()
    pairs = list(zip(words[::2], words[1::2]))
    return ({name for kind, name in pairs if kind == "sym"},
            {name for kind, name in pairs if kind == "ali"})


def objects():
    found = sorted(glob.glob(os.path.join(ct.B, "lib", "**", "*.o"), recursive=True))
    # Objects of removed sources stay in the build directory; they are not in the library.
    found = [o for o in found if os.path.exists(
        os.path.join(ct.ROOT, os.path.relpath(o, os.path.join(ct.B, "lib"))[:-1] + "c"))]
    ct.check(len(found) > 10, f"library objects not found below {ct.B}/lib")
    return found


def undefined(path):
    return {line.split()[-1].split("@")[0] for line in tool("nm", "-u", path).splitlines()
            if line.strip() and not line.endswith(":")}


def run(argv, **env):
    return subprocess.run(argv, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, **env}, timeout=20)


@ct.case("exports_equal_symbols_def")
def exports():
    functions, aliases = table()
    ct.check(len(functions) > 40, f"only {len(functions)} rows read from symbols.def")
    have = {line.split()[-1] for line in
            tool("nm", "-D", "--defined-only", ct.LIB).splitlines() if line.strip()}
    ct.check_equal(sorted(have ^ (functions | aliases)), [], "exported or listed, not both")


@ct.case("exports_have_no_version_node")
def anonymous():
    # With a named node glibc silently does not interpose.
    ct.check("VERDEF" not in tool("readelf", "-dW", ct.LIB), "the library defines versions")


@ct.case("interposition_happens_and_a_named_version_would_prevent_it")
def interposes():
    # Both ways, so that the case proves it can tell the difference.
    probe = """
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        int main(int argc, char **argv)
        {
            for (int i = 1; i < argc; i++) {
                Dl_info info;
                void *p = dlsym(RTLD_DEFAULT, argv[i]);
                printf("%s %s\\n", argv[i], p && dladdr(p, &info) ? info.dli_fname : "nowhere");
            }
            return 0;
        }"""
    functions, aliases = table()
    with ct.Place() as place:
        program = ct.compile_c(place, "probe", probe, "-ldl")
        names = sorted(functions | aliases)
        r = ct.Run(place, [program, *names], place.env()).ok()
        wrong = [l for l in r.out.splitlines() if not l.endswith(" " + ct.LIB)]
        ct.check(not wrong, f"not ours: {wrong[:5]}")
        # A program linked against write@GLIBC_2.2.5 must get it too: relocation, not dlsym.
        caller = ct.compile_c(place, "caller", """
            #include <unistd.h>
            int main(void) { return write(-1, "", 1) == 42 ? 0 : 1; }""")
        fake = "#include <unistd.h>\nssize_t write(int f, const void *b, size_t n) {return 42;}"
        results = []
        for name, script in (("anonymous", "{ global: write; local: *; };"),
                             ("named", "OURS_1.0 { global: write; local: *; };")):
            path = os.path.join(place.top, name + ".map")
            with open(path, "w") as f:
                f.write(script)
            lib = ct.compile_c(place, name + ".so", fake, "-shared", "-fPIC",
                               f"-Wl,--version-script={path}")
            results.append(run([caller], LD_PRELOAD=lib).returncode)
        ct.check_equal(results, [0, 1], "anonymous interposes, named does not")


@ct.case("needs_nothing_but_libc")
def needed():
    found = re.findall(r"\(NEEDED\).*\[(.*)\]", tool("readelf", "-dW", ct.LIB))
    ct.check_equal(found, ["libc.so.6"], "DT_NEEDED")


@ct.case("needs_no_newer_glibc")
def versions():
    found = set(re.findall(r"GLIBC_([0-9.]+|PRIVATE)", tool("readelf", "-VW", ct.LIB)))
    ct.check(found, "no version references found")
    newer = [v for v in found if v == "PRIVATE" or
             tuple(map(int, v.split("."))) > OLDEST_GLIBC]
    ct.check(not newer, f"needs GLIBC_{newer}")


@ct.case("bound_at_load_with_small_initial_exec_tls")
def binding():
    dynamic = tool("readelf", "-dW", ct.LIB)
    for flag in ("BIND_NOW", "STATIC_TLS", "NODELETE"):
        ct.check(flag in dynamic, f"flag {flag} missing")
    ct.check("INITFIRST" not in dynamic and "TEXTREL" not in dynamic, "INITFIRST or TEXTREL")
    sizes = [int(line.split()[5], 16) for line in tool("readelf", "-lW", ct.LIB).splitlines()
             if line.split()[:1] == ["TLS"]]
    ct.check(sizes and sizes[0] < TLS_LIMIT, f"TLS segment {sizes}")
    relocations = tool("readelf", "-rW", ct.LIB)
    for kind in ("DTPMOD", "DTPOFF", "TLSDESC", "IRELATIV"):
        ct.check(kind not in relocations, f"relocation {kind}: not initial-exec, or an IFUNC")
    ct.check("TPOFF" in relocations or not sizes[0], "no initial-exec relocation")


@ct.case("loads_under_bind_now")
def bind_now():
    with ct.Place() as place:
        r = ct.Run(place, ["/bin/true"], place.env(LD_BIND_NOW="1"))
        ct.check_equal((r.rc, r.out, r.err), (0, "", ""), "/bin/true under LD_BIND_NOW")
        # And the linker itself finds every symbol of every library.
        r = ct.Run(place, ["/bin/true"], place.env(LD_TRACE_LOADED_OBJECTS="1", LD_WARN="1",
                                                   LD_BIND_NOW="1"))
        ct.check("undefined" not in r.out + r.err, r.out + r.err)


@ct.case("loads_by_dlopen")
def dlopen():
    # Not a supported way, but a program that does it must live: TLS fits, nothing is undefined.
    with ct.Place() as place:
        program = ct.compile_c(place, "opener", """
            #include <dlfcn.h>
            #include <stdio.h>
            #include <unistd.h>
            int main(int argc, char **argv)
            {
                void *h = dlopen(argv[1], RTLD_NOW);
                if (!h) { puts(dlerror()); return 1; }
                dlclose(h);
                return write(1, "ok", 2) != 2;
            }""", "-ldl")
        r = ct.Run(place, [program, ct.LIB], place.env(LD_PRELOAD=None)).ok()
        ct.check_equal(r.out, "ok", "output")


@ct.case("a_second_preload_library_still_sees_the_calls")
def second():
    # In both orders: we are next to the other, not instead of it.
    source = """
        #include <dlfcn.h>
        #include <unistd.h>
        static long calls;
        ssize_t write(int fd, const void *b, size_t n)
        {
            ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
            calls++;
            return next(fd, b, n);
        }
        long other_calls(void) { return calls; }"""
    with ct.Place() as place:
        lib = ct.compile_c(place, "other.so", source, "-shared", "-fPIC", "-ldl")
        program = ct.compile_c(place, "user", """
            #include <dlfcn.h>
            #include <sys/socket.h>
            #include <unistd.h>
            int main(void)
            {
                long (*calls)(void) = dlsym(RTLD_DEFAULT, "other_calls");
                int p[2];
                if (!calls || socketpair(AF_UNIX, SOCK_STREAM, 0, p)) return 2;
                for (int i = 0; i < 10; i++) if (write(p[0], "x", 1) != 1) return 3;
                return calls() != 10;
            }""", "-ldl")
        for order in (f"{ct.LIB}:{lib}", f"{lib} {ct.LIB}"):
            r = ct.Run(place, [program], place.env(LD_PRELOAD=order)).ok()
            ct.check_equal(r.stats.total("writes"), 10, f"writes under {order}")


# All the library may ask of libc, and why each is harmless in any thread, signal handler or
# forked child: nothing here allocates, locks, prints, ends the host or changes what is the host's.
ALLOWED = {
    "__errno_location": "errno is a thread-local cell",
    "syscall": "raw system calls before the constructor",
    "clock_gettime": "vDSO",
    "bcmp": "clang's memcmp", "memcmp": "", "memcpy": "", "memmove": "", "memset": "",
    "strchr": "", "strcmp": "", "strcpy": "", "strlen": "", "strncmp": "", "strrchr": "",
    "dlsym": "constructor only (and a thread begun before it)",
    "environ": "constructor only", "__environ": "the same cell", "getauxval": "constructor only",
    "__register_atfork": "constructor only",
    "pthread_setcanceltype": "guard.h: a cell of the thread, no system call; GLIBC_2.2.5, in libc",
    "__sigsetjmp": "a thread's end is seen by a cleanup handler",
    "__pthread_register_cancel": "the same", "__pthread_unregister_cancel": "the same",
    "__pthread_unwind_next": "the same",
    "__dso_handle": "linker", "_GLOBAL_OFFSET_TABLE_": "linker",
}
# What the linker's start files bring into the finished library, weakly.
START_FILES = {"__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable",
               "_ITM_registerTMCloneTable"}


def defined(path):
    return {line.split()[-1] for line in tool("nm", "--defined-only", path).splitlines()
            if len(line.split()) == 3}


def foreign(paths):
    """(object, name) of every symbol the objects need and none of them defines."""
    own = set().union(*map(defined, paths))
    return sorted((os.path.basename(p), name) for p in paths for name in undefined(p) - own)


@ct.case("no_object_calls_what_we_interpose")
def no_own_calls():
    # The wrappers are defined among the objects, so this looks at every undefined reference.
    functions, aliases = table()
    wrong = [f"{os.path.basename(o)}: {name}" for o in objects()
             for name in sorted(undefined(o) & (functions | aliases))]
    ct.check(not wrong, f"calls our own wrapper by name: {wrong}")


@ct.case("objects_call_only_allowed_functions")
def allowed():
    wrong = [f"{o}: {name}" for o, name in foreign(objects()) if name not in ALLOWED]
    ct.check(not wrong, str(wrong))
    linked = undefined(ct.LIB) - set(ALLOWED) - START_FILES
    ct.check(not linked, f"the linked library needs {sorted(linked)}")


@ct.case("allowed_list_would_notice")
def notices():
    with ct.Place() as place:
        path = ct.compile_c(place, "bad.o", """
            #include <stdio.h>
            #include <stdlib.h>
            #include <unistd.h>
            void f(int fd) { char *p = malloc(3); printf("%s", p); write(fd, p, 3); abort(); }
            """, "-c")
        found = {n for _, n in foreign([path])} - set(ALLOWED)
        ct.check_equal(found, {"malloc", "printf", "write", "abort"}, "forbidden names found")
        ct.check_equal(undefined(path) & table()[0], {"write"}, "interposed names found")


ct.main()
