#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The shim counts what strace counts, in each process (trace.py says what is counted)."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import run_counts
from servers import Node

run_counts(Node).end()
