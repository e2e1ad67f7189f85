#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The library never says a word on the server's stdout or stderr, whatever the settings, unless
UNSPIN_VERBOSE=1 asks it to; and it serves on, with default settings in place of bad ones.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import Suite, box, environment, equal, run, stat, true
from servers import Asyncio, Nginx, Node, RedisServer

GOOD = {"MODE": "adapt", "WRITE": "auto", "SNDBUF_MAX": "4m", "STATS_SOCKETS": "64"}
BAD = {"MODE": "fast", "WRITE": "", "SNDBUF_MAX": "-1", "SNDBUF_BUDGET": "99999999999999999999",
       "STATS_SOCKETS": "0", "OVERRIDE": "maybe", "COLOUR": "blue", "MODE\n": "x",
       "STATS_THREADS": "9" * 4000}


def a_file(path):
    with open(path, "w"):
        pass


def a_link(path):
    os.symlink(box.directory("elsewhere"), path)


def serves_silently(make, settings, prepare=None, has_file=True):
    server = make(settings)
    if prepare:
        prepare(server.stats_dir)
    with server:  # leaving it compares the output
        with server.connect() as connection:
            connection.fetch("1m")
            connection.fetch("100")
        is_there = os.path.exists(os.path.join(server.stats_dir, str(server.main_pid())))
        equal("statistics file", is_there, has_file)


def relative_directory():
    """The default directory is used; XDG_RUNTIME_DIR keeps this test off the machine's own."""
    home = box.directory("runtime")
    with Asyncio({"STATS_DIR": "a/b"}, extra={"XDG_RUNTIME_DIR": home}) as server:
        with server.connect() as connection:
            connection.fetch("1m")
        one = stat(os.path.join(home, "unspin", str(server.main_pid())))
        equal("problems", [(p["name"], p["kind"]) for p in one["problems"]],
              [("UNSPIN_STATS_DIR", "bad_value")])


def bad_values_are_shown_by_the_reader():
    with Asyncio(BAD) as server:
        one = stat(server.main_pid(), server.stats_dir)
        config = {option["name"]: option for option in one["config"]}
        equal("mode", (one["mode"], config["mode"]["origin"]), ("adapt", "default"))
        problems = {problem["name"]: problem["kind"] for problem in one["problems"]}
        for name, kind in (("MODE", "bad_value"), ("OVERRIDE", "bad_value"),
                           ("COLOUR", "unknown_name"), ("STATS_SOCKETS", "out_of_range"),
                           ("SNDBUF_BUDGET", "out_of_range")):
            equal("problem of UNSPIN_" + name, problems.get("UNSPIN_" + name), kind)


def verbose_names_bad_settings():
    done = run(["/bin/sh", "-c", "echo out"],
               env=environment({"MODE": "fast", "VERBOSE": "1"}, box.file("stats")))
    equal("stdout", done.stdout, b"out\n")
    equal("stderr", done.stderr, b"unspin: ignored setting: UNSPIN_MODE\n")


def program_without_sockets_leaves_no_file():
    stats_dir = box.file("stats")
    script = "echo a; echo b >&2; (echo c); cat /dev/null; ls / | wc -l >/dev/null"
    done = run(["/bin/sh", "-c", script], env=environment({}, stats_dir))
    equal("stdout and stderr", (done.stdout, done.stderr), (b"a\nc\n", b"b\n"))
    true("files were left: %s" % stats_dir, not os.path.exists(stats_dir))


def closed_stdio_is_survived():
    """A server started with 0, 1 and 2 closed gets sockets on these numbers."""
    server = RedisServer({})
    server.wrapper = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    with server:
        with server.connect() as connection:
            connection.fetch("1m")
        equal("accepts", stat(server.main_pid(), server.stats_dir)["totals"]["accepts"],
              server.connections)
    equal("output", server.output(), "")


suite = Suite()
for server_class in (Nginx, RedisServer, Asyncio, Node):
    name = server_class.__name__.lower()
    suite.run(name + "_good_settings", serves_silently, server_class, GOOD)
    suite.run(name + "_bad_settings", serves_silently, server_class, BAD)
    suite.run(name + "_directory_missing", serves_silently, server_class,
              {"STATS_DIR": "/nonexistent/a/b"}, None, False)
suite.run("asyncio_directory_relative_is_refused", relative_directory)
suite.run("asyncio_directory_is_file", serves_silently, Asyncio, {}, a_file, False)
suite.run("asyncio_directory_is_link", serves_silently, Asyncio, {}, a_link, False)
suite.run("asyncio_statistics_off", serves_silently, Asyncio, {"STATS": "0"}, None, False)
suite.run("bad_values_are_shown_by_the_reader", bad_values_are_shown_by_the_reader)
suite.run("verbose_names_bad_settings", verbose_names_bad_settings)
suite.run("program_without_sockets_leaves_no_file", program_without_sockets_leaves_no_file)
suite.run("closed_stdio_is_survived", closed_stdio_is_survived)
suite.end()
