# SPDX-License-Identifier: MIT
"""The integration tests' asyncio server on an address of choice: DIRECTORY HOST PORT [SNDBUF]."""
import asyncio
import os
import signal
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration", "asyncio"))
import server


class Tuned(server.Http):
    def connection_made(self, transport):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        super().connection_made(transport)


async def main(host, port):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await loop.create_server(Tuned if sndbuf else server.Http, host, port, backlog=1024)
    await ended.wait()


sndbuf = int(sys.argv[4]) if len(sys.argv) > 4 else 0
server.load(sys.argv[1])
asyncio.run(main(sys.argv[2], int(sys.argv[3])))
