#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Where no statistics file can be made the server runs without one, silently and unharmed: file size
limit, full tmpfs, read-only and foreign directories. A tmpfs that fills up later harms nobody,
because the file's blocks were allocated at the start (a sparse file would raise SIGBUS).
"""

import os
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import Skip, Suite, equal, is_root, need, stat_command, true
from fetch import fetch_everything
from servers import RedisServer, inside, namespace


def serves_without_file(server):
    with server:
        fetch_everything(server.connect)
        directory = inside(server, server.stats_dir)
        equal("files left behind",
              os.listdir(directory) if os.path.isdir(directory) else [], [])
        told = stat_command(server.main_pid(), server.stats_dir)
        equal("exit code of unspin stat", told.returncode, 1)
        true("unspin stat says nothing", told.stderr and not told.stdout)


def file_size_limit(bytes_allowed):
    serves_without_file(RedisServer({}, limits=((resource.RLIMIT_FSIZE, bytes_allowed),)))


def full_tmpfs(size):
    server = RedisServer({})
    server.wrapper = namespace('mkdir "{0}"; mount -t tmpfs -o size={1} none "{0}"'
                               .format(server.stats_dir, size))
    serves_without_file(server)


def read_only_directory():
    server = RedisServer({})
    server.wrapper = namespace('mkdir "{0}"; mount --bind "{0}" "{0}"; '
                               'mount -o remount,bind,ro "{0}"'.format(server.stats_dir))
    serves_without_file(server)


def foreign_directory():
    """The directory is root's alone, the server somebody else's."""
    if not is_root():
        raise Skip("only root can start a server of another user")
    server = RedisServer({})
    os.mkdir(server.stats_dir, 0o700)
    server.wrapper = [need("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    serves_without_file(server)


def unwritable_directory():
    if is_root():
        raise Skip("root can write everywhere")
    server = RedisServer({})
    os.mkdir(server.stats_dir, 0o500)
    serves_without_file(server)


def tmpfs_full_later():
    server = RedisServer({"WRITE": "grow"})
    server.wrapper = namespace('mkdir "{0}"; mount -t tmpfs -o size=8m none "{0}"'
                               .format(server.stats_dir))
    with server:
        path = inside(server, server.stats_dir)
        try:
            with open(os.path.join(path, "junk"), "wb", buffering=0) as f:
                while f.write(bytes(1 << 16)):
                    pass
        except OSError:
            pass  # full
        true("the tmpfs is not full", os.statvfs(path).f_bavail == 0)
        fetch_everything(server.connect)
        told = stat_command(os.path.join(path, str(server.main_pid())))
        equal("exit code of unspin stat", told.returncode, 0)
        true("accepts are missing", b'"accepts": %d' % server.connections in told.stdout)


def address_space_limit():
    """Little address space: whatever of ours does not fit is done without."""
    server = RedisServer({"STATS_SOCKETS": 1048576},
                         limits=((resource.RLIMIT_AS, 256 << 20),))
    with server:
        with server.connect() as connection:
            connection.fetch("1m")


suite = Suite()
suite.run("redis_file_size_limit_8_kb", file_size_limit, 8 << 10)
suite.run("redis_file_size_limit_1_mb", file_size_limit, 1 << 20)
suite.run("redis_full_tmpfs_64_kb", full_tmpfs, "64k")
suite.run("redis_full_tmpfs_1_mb", full_tmpfs, "1m")
suite.run("redis_read_only_directory", read_only_directory)
suite.run("redis_directory_of_somebody_else", foreign_directory)
suite.run("redis_unwritable_directory", unwritable_directory)
suite.run("redis_tmpfs_full_later", tmpfs_full_later)
suite.run("redis_little_address_space", address_space_limit)
suite.end()
