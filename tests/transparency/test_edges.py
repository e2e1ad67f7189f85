#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Hosts that wait for edges never wait in vain, whichever strategy ended their write."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tr  # noqa: E402

# Some waits are ended by the limit: after them, too, the edge must come.
SETTINGS = {"UNSPIN_BLOCK_MAX_MS": 3}

for mode in "et short oneshot netty pieces file storm".split():
    tr.scene(f"edge_{mode}", "tr_edge", mode, settings=SETTINGS)
for mode in ("short", "pieces", "file", "storm"):
    tr.mutant("short_count", f"edge_{mode}", "tr_edge", mode)
for mode in ("et", "netty"):
    tr.mutant("cool_down", f"edge_{mode}", "tr_edge", mode)
tr.main()
