#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""Answers of 100 B to 8 MB are byte-exact in every mode, at a fast and a slow reader's pace."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import run_bytes
from servers import Nginx, NginxSmallBuffer

run_bytes(Nginx, NginxSmallBuffer)
