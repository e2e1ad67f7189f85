#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Vectors of any length and shape; arguments that point nowhere."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402
from tr import ct  # noqa: E402


def finished_some(run, reference):
    if run.variant == "block" and run.totals:
        ct.check(run.total("finished_calls") > 50, "too few calls were finished to test anything")


tr.scene("vectors", "tr_vector", "pieces", judge=finished_some)
tr.scene("faults", "tr_vector", "faults", settings={"UNSPIN_BLOCK_MAX_MS": 5})
tr.mutant("changes_vector", "vectors", "tr_vector", "pieces")
tr.mutant("reads_vector", "faults", "tr_vector", "faults")
tr.mutant("keeps_fault", "faults", "tr_vector", "faults")
tr.main()
