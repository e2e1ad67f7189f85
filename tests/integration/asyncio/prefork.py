# SPDX-License-Identifier: MIT
"""
A pre-fork server: one listener, made by the parent; argument 2 workers by os.fork or by
multiprocessing (argument 3), each with a loop of its own. Serves as server.py does, and /pid.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys

import server


async def serve(listener):
    loop = asyncio.get_running_loop()
    await loop.create_server(server.Http, sock=listener)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


def worker(listener):
    asyncio.run(serve(listener))


def start(listener, method):
    if method == "multiprocessing":
        process = multiprocessing.get_context("fork").Process(target=worker, args=(listener,))
        process.start()
        return process.pid
    pid = os.fork()
    if pid == 0:
        worker(listener)
        os._exit(0)
    return pid


def main():
    server.commands["pid"] = lambda connection: str(os.getpid())
    server.load(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    # The parent is a user of the socket, too, before it forks.
    listener.setblocking(False)
    pids = [start(listener, sys.argv[3]) for _ in range(int(sys.argv[2]))]

    def end(number, frame):
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    signal.signal(signal.SIGTERM, end)
    print("port %d" % listener.getsockname()[1], flush=True)
    for pid in pids:
        os.waitpid(pid, 0)
    os._exit(0)


main()
