#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Hosts in a sandbox: whatever the library may not ask, the host's results stay its own."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402

EPERM, EACCES, ENOSYS = 1, 13, 38
SETTINGS = {"UNSPIN_BLOCK_MAX_MS": 2}
# What several features need is refused to each of them, once: more often, and it would be asked again
# and again.
FEATURES = 4
# A forbidden call, the errno, the variants that need the call: they must say so.
FORBIDDEN = (
    ("none", 0, ()),
    ("sendmsg", EPERM, ("auto", "spin", "block")),
    ("ppoll", EACCES, ("auto", "spin", "block")),
    ("getsockopt", EPERM, ("auto", "grow", "spin", "block")),
    ("setsockopt", EACCES, ("grow",)),
    ("fcntl", ENOSYS, ("auto", "grow", "spin", "block")),
    ("rt_sigprocmask", ENOSYS, ("auto", "spin", "block")),
    ("getrusage", EACCES, ()), ("getpid", EPERM, ()), ("mmap", EPERM, ()),
)


def judge_refusal(needed):
    def judge(run, reference):
        if not run.totals:
            return
        wanted, refused = run.variant in needed, run.total("aux_refused")
        if wanted:
            ct.check(1 <= refused <= FEATURES, f"{refused} calls were refused")
        # Growth goes on with a call only now and then: it may find out or not.
        elif run.variant != "grow":
            ct.check_equal(refused, 0, "aux_refused")
        if wanted and run.variant != "grow":
            ct.check(run.total("retries") <= 1, f"{run.total('retries')} retries all the same")
        if not needed and run.variant in tr.WAITING:
            ct.check(run.total("blocked_calls") >= 10, "a spinner was not waited for: "
                     f"{run.total('blocked_calls')} calls; are our waits taken for its sleeps?")
    return judge


for call, error, needed in FORBIDDEN:
    tr.scene(f"filter_{call}", "tr_filter", call, error, "write", judge=judge_refusal(needed),
             settings=SETTINGS)
for call in ("newfstatat", "lseek", "ppoll", "fcntl"):
    tr.scene(f"filter_{call}_sendfile", "tr_filter", call, EACCES, "sendfile", settings=SETTINGS,
             variants=("bare", "grow", "block"))
tr.mutant("first_call", "filter_sendmsg", "tr_filter", "sendmsg", EPERM, "write")
tr.mutant("trusts_wait", "filter_ppoll", "tr_filter", "ppoll", EACCES, "write")


# memcached -o drop_privileges, whose workers answer by sendmsg under such a filter: Debian's is built
# without it, so its list of allowed calls stands in.
tr.scene("filter_memcached", "tr_filter", "memcached", EACCES, "sendmsg", settings=SETTINGS,
         judge=judge_refusal(("auto", "grow", "spin", "block")))
tr.mutant("trusts_wait", "filter_memcached", "tr_filter", "memcached", EACCES, "sendmsg")
tr.main()
