# SPDX-License-Identifier: MIT
"""The asyncio server of the integration tests on an address of choice: DIRECTORY HOST PORT."""
import asyncio
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration", "asyncio"))
import server


async def main(host, port):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await loop.create_server(server.Http, host, port, backlog=1024)
    await ended.wait()


server.load(sys.argv[1])
asyncio.run(main(sys.argv[2], int(sys.argv[3])))
