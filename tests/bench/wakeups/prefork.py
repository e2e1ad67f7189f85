# SPDX-License-Identifier: MIT
"""
Pre-forked asyncio workers on one inherited listener: BODY_FILE PORT WORKERS

One request per connection. Says "ready" when all of them serve. SIGTERM ends it, with one line of
JSON: how many requests each worker answered.
"""
import asyncio
import json
import mmap
import os
import signal
import socket
import struct
import sys

COUNT = struct.Struct("Q")


class Http(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.asked = transport, b""

    def data_received(self, data):
        self.asked += data
        if self.asked.endswith(b"\r\n\r\n"):
            self.transport.write(answer)
            self.transport.close()
            COUNT.pack_into(counts, place, COUNT.unpack_from(counts, place)[0] + 1)


async def serve(listener):
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    await loop.create_server(Http, sock=listener)
    os.write(ready[1], b".")
    await ended.wait()


path, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, "rb") as f:
    body = f.read()
answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
ready = os.pipe()
counts = mmap.mmap(-1, COUNT.size * workers)
listener = socket.create_server(("127.0.0.1", port), backlog=100)
listener.setblocking(False)
# Waited for below; a worker lets it in once it has a handler.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
pids = []
for number in range(workers):
    pid = os.fork()
    if pid == 0:
        place = COUNT.size * number
        asyncio.run(serve(listener))
        os._exit(0)
    pids.append(pid)
for _ in pids:
    os.read(ready[0], 1)
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
for pid in pids:
    os.kill(pid, signal.SIGTERM)
for pid in pids:
    os.waitpid(pid, 0)
print(json.dumps({"requests": [n for n, in COUNT.iter_unpack(counts)]}), flush=True)
os._exit(0)
