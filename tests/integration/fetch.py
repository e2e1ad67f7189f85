# SPDX-License-Identifier: MIT
"""
Clients that check every byte, at a fast or a slow reader's pace. HTTP/1.1 with keep-alive and
RESP (redis), on raw sockets, so that the receive buffer and the pauses are ours.
"""

import functools
import hashlib
import random
import socket
import threading
import time

from common import PATIENCE_S, Failed

SIZES = {"100": 100, "10k": 10 << 10, "100k": 100 << 10, "1m": 1 << 20, "8m": 8 << 20}


@functools.lru_cache(maxsize=None)
def content(name):
    """Bytes that repeat nowhere, the same in every run: a shifted or doubled piece shows."""
    return random.Random(SIZES[name]).randbytes(SIZES[name])


@functools.lru_cache(maxsize=None)
def digest(name):
    return hashlib.sha256(content(name)).digest()


class Pace:
    """How a client reads: receive buffer and segment size (None: the kernel's), pauses."""

    def __init__(self, rcvbuf=None, maxseg=None, chunk=1 << 16, pause_s=0.0, pauses=0):
        self.rcvbuf = rcvbuf
        self.maxseg = maxseg
        self.chunk = chunk
        self.pause_s = pause_s
        self.pauses = pauses  # only the first so many reads of an answer are slowed


FAST = Pace()
# Loopback's own 64 KB segments do not fit a 16 KB send buffer: each write would wait 200 ms for a
# timer of TCP's, without the shim (11 s for the standard load instead of 0.3).
FAST_SMALL_SEGMENTS = Pace(maxseg=1448)
# Segments of a real network, so that the server's send buffer is as small as on one, and a window
# that a large answer fills many times over.
SLOW = Pace(rcvbuf=32 << 10, maxseg=1448, chunk=16 << 10, pause_s=0.002, pauses=60)


class Connection:
    def __init__(self, port, pace=FAST, host="127.0.0.1"):
        self.pace = pace
        self.rest = b""
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S)
        if pace.rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, pace.rcvbuf)
        if pace.maxseg:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, pace.maxseg)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def more(self):
        piece = self.socket.recv(self.pace.chunk)
        if not piece:
            raise Failed("the server closed the connection in the middle of an answer")
        return piece

    def until(self, mark):
        while mark not in self.rest:
            self.rest += self.more()
        before, self.rest = self.rest.split(mark, 1)
        return before

    def body(self, length):
        """Reads exactly so many bytes at the connection's pace; their digest."""
        seen = hashlib.sha256(self.rest[:length])
        left = length - len(self.rest[:length])
        self.rest = self.rest[length:]
        pauses = self.pace.pauses
        while left:
            if pauses:
                time.sleep(self.pace.pause_s)
                pauses -= 1
            piece = self.more()
            seen.update(piece[:left])
            self.rest = piece[left:]
            left -= len(piece) - len(self.rest)
        return seen.digest()

    def expect(self, name, length, got_digest):
        if length != SIZES[name] or got_digest != digest(name):
            raise Failed("answer %s: %d bytes, %s content" % (
                name, length, "right" if got_digest == digest(name) else "wrong"))
        if self.rest:
            raise Failed("answer %s: %d bytes too many" % (name, len(self.rest)))


class Http(Connection):
    def ask(self, path):
        self.socket.sendall(b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n" % path.encode())

    def answer_length(self):
        lines = self.until(b"\r\n\r\n").split(b"\r\n")
        if lines[0].split()[1] != b"200":
            raise Failed("answer %r" % lines[0])
        for line in lines[1:]:
            key, value = line.split(b":", 1)
            if key.lower() == b"content-length":
                return int(value)
        raise Failed("answer without Content-Length: %r" % lines)

    def finish(self, name):
        length = self.answer_length()
        self.expect(name, length, self.body(length))

    def fetch(self, name):
        self.ask("/" + name)
        self.finish(name)

    def text(self, path):
        """A small answer as text."""
        self.ask(path)
        length = self.answer_length()
        while len(self.rest) < length:
            self.rest += self.more()
        text, self.rest = self.rest[:length], self.rest[length:]
        return text.decode()


class Redis(Connection):
    def command(self, *words):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(parts)
                            + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))

    def line(self):
        return self.until(b"\r\n")

    def store(self, name):
        self.command("SET", name, content(name))
        if self.line() != b"+OK":
            raise Failed("SET %s refused" % name)

    def ask(self, name):
        self.command("GET", name)

    def finish(self, name):
        length = int(self.line()[1:])
        got = self.body(length)
        while len(self.rest) < 2:
            self.rest += self.more()
        if self.rest[:2] != b"\r\n":
            raise Failed("answer %s does not end with CR LF" % name)
        self.rest = self.rest[2:]
        self.expect(name, length, got)

    def fetch(self, name):
        self.ask(name)
        self.finish(name)


def in_parallel(functions):
    """Calls each function in a thread of its own; raises the first error after all have ended."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


STANDARD_LOAD_REQUESTS = 10 + 6 * 5 + 3 + 2 + 2
STANDARD_LOAD_BYTES = (2 * sum(SIZES.values())
                       + 6 * (2 * SIZES["100"] + SIZES["1m"] + SIZES["10k"] + SIZES["100k"])
                       + 2 * SIZES["1m"] + SIZES["100"] + SIZES["8m"] + SIZES["100"]
                       + SIZES["100k"] + SIZES["8m"])


def fetch_everything(connect, fast=FAST):
    """
    The standard load: all sizes twice on one kept connection, six fast connections at once, and
    three slow readers at the same time. connect(pace) opens a connection.
    """
    def one(pace, names):
        with connect(pace) as connection:
            for name in names:
                connection.fetch(name)

    one(fast, list(SIZES) * 2)
    in_parallel([functools.partial(one, fast, ["100", "1m", "10k", "100k", "100"])] * 6
                + [functools.partial(one, SLOW, names)
                   for names in (["1m", "100", "1m"], ["8m", "100"], ["100k", "8m"])])
