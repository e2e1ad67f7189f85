#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Closed-loop GET load for redis, of fixed duration. Prints one line of JSON.

usage: redisload.py store  HOST PORT FILE
       redisload.py verify HOST PORT FILE REQUESTS
       redisload.py load   HOST PORT BYTES CONNS PIPELINE SECONDS

redis-benchmark cannot stop after a time, counts what SET took too, and copies every answer twice;
here an answer is received over the one before it, checked for its first line and its length (all
bytes: `verify`), and dropped.
"""
import json
import select
import socket
import sys
import time

KEY = b"value"
GET = b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(KEY), KEY)
ROOM = 1 << 20


class Connection:
    def __init__(self, address, bytes_, pipeline):
        self.head = b"$%d\r\n" % bytes_
        self.answer_bytes = len(self.head) + bytes_ + 2
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.got = 0       # bytes of the answer at the front
        self.read = 0      # bytes of all
        self.sent_at = []  # of requests not answered yet, oldest first
        for _ in range(pipeline):
            self.ask()

    def ask(self):
        self.socket.send(GET)  # 30 bytes on a connection that reads: they always fit
        self.sent_at.append(time.perf_counter())

    def receive(self, room, latencies):
        """Takes what is there; False when the server ended or answered something else."""
        view = memoryview(room)
        # Up to the end of one answer: the first line of each begins the room.
        while True:
            try:
                n = self.socket.recv_into(view, min(len(room), self.answer_bytes - self.got))
            except BlockingIOError:
                return True
            if not n or (self.got == 0 and not room.startswith(self.head[:n])):
                return False
            self.got += n
            self.read += n
            if self.got == self.answer_bytes:
                self.got = 0
                latencies.append(time.perf_counter() - self.sent_at.pop(0))
                self.ask()


def load(host, port, bytes_, conns, pipeline, seconds):
    epoll, room, latencies, errors = select.epoll(), bytearray(ROOM), [], 0
    start = time.perf_counter()
    everyone = [Connection((host, port), bytes_, pipeline) for _ in range(conns)]
    by_fd = {connection.socket.fileno(): connection for connection in everyone}
    for fd in by_fd:
        epoll.register(fd, select.EPOLLIN)
    while errors < conns and time.perf_counter() < start + seconds:
        for fd, _ in epoll.poll(0.1):
            if not by_fd[fd].receive(room, latencies):
                errors += 1
                epoll.unregister(fd)
    took = time.perf_counter() - start
    latencies.sort()
    at = [latencies[int(len(latencies) * q)] * 1e3 if latencies else None for q in (0.5, 0.99)]
    return {"requests": len(latencies), "rps": len(latencies) / took, "p50_ms": at[0],
            "p99_ms": at[1], "errors": errors,
            "read_mb": sum(connection.read for connection in everyone) / 1e6}


def verify(host, port, path, requests):
    """One connection, requests one after the other, every byte compared."""
    with open(path, "rb") as f:
        body = f.read()
    wanted, mismatches = b"$%d\r\n%s\r\n" % (len(body), body), 0
    with socket.create_connection((host, port), timeout=30) as s:
        for _ in range(requests):
            s.sendall(GET)
            got = bytearray()
            while len(got) < len(wanted):
                piece = s.recv(min(ROOM, len(wanted) - len(got)))
                if not piece:
                    break
                got += piece
            mismatches += got != wanted
    return {"requests": requests, "mismatches": mismatches, "errors": 0}


def store(host, port, path):
    with open(path, "rb") as f:
        body = f.read()
    with socket.create_connection((host, port), timeout=30) as s:
        s.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n" % (len(KEY), KEY) +
                  b"$%d\r\n%s\r\n" % (len(body), body))
        return {"errors": int(s.recv(64) != b"+OK\r\n")}


def main(words):
    command, host, port, first = words[0], words[1], int(words[2]), words[3]
    rest = [int(word) for word in words[4:]]
    if command == "load":
        result = load(host, port, int(first), *rest)
    else:
        result = {"store": store, "verify": verify}[command](host, port, first, *rest)
    print(json.dumps(result))
    return 1 if result["errors"] or result.get("mismatches") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
