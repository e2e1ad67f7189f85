# SPDX-License-Identifier: MIT
"""One cell measured in a lab of its own; what the matrix and the papers' figures have in common."""
import json
import os
import subprocess
import tempfile

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = machine.ROOT
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
PYTHON = "/usr/bin/python3"
START_S = 0.2  # to make a lab


def clock(seconds):
    return "%d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)


def argv(cell, script):
    words = [os.path.join(BUILD, "lab"), "--cc", "cubic", "--rtt-us", str(cell.rtt_ms * 1000)]
    if cell.rcvbuf:
        words += ["--client-rmem", str(cell.rcvbuf)]
    return words + ["--", PYTHON, os.path.join(HERE, script)]


def measure(script, cell, runs, settings, sink):
    """One lab; each row goes to sink as it comes. Returns whether the lab ended well."""
    with tempfile.TemporaryDirectory(prefix="unspin-bench-") as place:
        os.chmod(place, 0o755)
        plan = {**settings, "cell": cell.id, "place": place, "build": BUILD, "runs": runs}
        with subprocess.Popen(argv(cell, script), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as lab:
            try:
                lab.stdin.write(json.dumps(plan))
                lab.stdin.close()
                for line in lab.stdout:
                    sink({**json.loads(line), "seconds": settings["seconds"],
                          "warmup": settings["warmup"]})
            except BaseException:
                lab.terminate()  # ends everything inside at once
                raise
        return lab.returncode == 0


def why_none():
    """Why no lab can be made here; "" if one can."""
    probe = subprocess.run([os.path.join(BUILD, "lab"), "--probe"], capture_output=True, text=True)
    return (probe.stdout + probe.stderr).strip() if probe.returncode else ""
