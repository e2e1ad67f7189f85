# SPDX-License-Identifier: MIT
"""
A small HTTP/1.1 server on asyncio: files of a directory, and what the tests of this directory
ask for. Says "port N" when it listens; ends on SIGTERM.

    /NAME        a file of the directory (argument 1), by transport.write
    /run         a child through subprocess: vfork and close_range in the parent's memory
    /fd          the descriptor of this connection
"""

import asyncio
import json
import os
import signal
import subprocess
import sys


class Http(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            self.answer(head.split()[1].decode()[1:])

    def answer(self, name):
        body = files.get(name)
        if body is None:
            body = commands[name](self).encode()
        self.transport.writelines([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body),
                                   body])


def run_child(connection):
    """close_fds closes every descriptor from 3 up in the child, live sockets among them."""
    done = subprocess.run(["/bin/echo", "child"], capture_output=True, close_fds=True)
    return json.dumps({"out": done.stdout.decode(), "err": done.stderr.decode(),
                       "code": done.returncode})


def own_fd(connection):
    return json.dumps({"fd": connection.transport.get_extra_info("socket").fileno()})


commands = {"run": run_child, "fd": own_fd}
files = {}


def load(directory):
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as f:
            files[name] = f.read()


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Http, "127.0.0.1", 0)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


if __name__ == "__main__":
    load(sys.argv[1])
    asyncio.run(main())
