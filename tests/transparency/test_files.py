#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sources that end, shrink, grow or are empty: not every short count is a full socket."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402


def at_once(run, reference):
    slowest = run.fact("slowest_tenths")
    ct.check(slowest <= 100, f"a call with nothing to send took {slowest / 10} ms")


# The size of the full socket is part of the scene: it is not to grow.
FIXED = {"UNSPIN_OVERRIDE": 0}

tr.scene("sendfile_end", "tr_file", "end", judge=at_once)
tr.scene("sendfile_shrinking", "tr_file", "shrink")
tr.scene("sendfile_growing", "tr_file", "grow")
tr.scene("splice", "tr_file", "splice", judge=at_once, settings=FIXED)
tr.mutant("end_of_file", "sendfile_end", "tr_file", "end")
tr.mutant("end_of_file", "sendfile_shrinking", "tr_file", "shrink")
tr.mutant("end_of_file", "sendfile_growing", "tr_file", "grow")
tr.mutant("splice_waits", "splice", "tr_file", "splice", judge=at_once)
tr.main()
