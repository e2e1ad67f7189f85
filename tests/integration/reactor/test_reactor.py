#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The demo server promises the same in every architecture: each byte, each connection's end, files,
refusals, and to go when told to. Without the shim: it must run without.
"""

import json
import os
import resource
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import B, Failed, Suite, box, environment, equal, run, true, wait_until

REACTOR = os.path.join(B, "reactor")

# Name for the cases -> arguments. One row per way of serving, not per option.
HOW = {
    "single": ["--arch", "single"],
    "yield": ["--arch", "yield"],
    "yield_et": ["--arch", "yield", "--et"],
    "threads_copy": ["--arch", "threads", "--send=copy"],
    "threads_sendfile_nb": ["--arch", "threads", "--send=sendfile-nb"],
    "threads_sendfile_b": ["--arch", "threads", "--send=sendfile-b"],
    "dispatch": ["--arch", "dispatch"],
    "dispatch_fix": ["--arch", "dispatch-fix"],
    "netty": ["--arch", "netty", "--threads", "2"],
    "hybrid": ["--arch", "hybrid", "--threads", "2"],
    "copies": ["--arch", "yield", "--copies", "2", "--pin"],
    "symped": ["--arch", "symped"],
    "symped_sendfile": ["--arch", "symped", "--send=sendfile"],
    "symped_blocking": ["--arch", "symped", "--blocking"],
    "symped_shared_cache": ["--arch", "symped", "--shared-cache"],
    "pipeline": ["--arch", "pipeline"],
    "pipeline_sendfile": ["--arch", "pipeline", "--send=sendfile", "--threads", "2"],
    "seda": ["--arch", "seda"],
}

SIZES = (0, 1, 100, 16 << 10, 1 << 20, 8 << 20)
MANY = 10000      # connections at once, as far as descriptors allow
MANY_THREADS = 2000  # where each has a thread
STOP_S = 1.0      # from SIGTERM to the end, connections open; 0.05 seen, 0.3 for symped_blocking
ANSWER_S = 20     # for any answer
SNDBUF = "131072"  # stalls on whatever is large; at 16 KB delayed ACKs make 8 MB take 5 s


def pattern(size):
    """The body of /bytes/N, by the formula of examples/common/pattern.h."""
    def mix(x):
        return x * 131 + (x >> 8) * 17 + (x >> 16) * 29 + (x >> 24) * 53
    ramp = bytes(i * 131 & 255 for i in range(256))
    blocks = []
    for at in range(0, size, 256):  # inside a block only the first term moves
        base = mix(at) + mix(size) & 255
        blocks.append(ramp.translate(bytes((i + base) & 255 for i in range(256))))
    return b"".join(blocks)[:size]


BODIES = {size: pattern(size) for size in SIZES}


class Server:
    def __init__(self, how, *more):
        self.process = box.start([REACTOR, "--port", "0", *HOW[how], *more], env=environment(),
                                 stdout=-1, stderr=-1)
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            self.process.wait()
            raise Failed("said %r, %r" % (line, self.process.stderr.read()))
        host, port = line.split()[-1].rsplit(":", 1)
        self.address = (host, int(port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        box.finish(self.process)
        self.process.stdout.close()
        self.process.stderr.close()

    def dial(self, rcvbuf=0):
        return Client(self.address, rcvbuf)

    def get(self, target, **more):
        client = self.dial()
        try:
            client.ask(target, **more)
            return client.answer()
        finally:
            client.close()

    def stats(self):
        return json.loads(self.get("/stats")[2])

    def stop(self):
        """SIGTERM to the end, in seconds; how it ended must be well."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
        except Exception:
            raise Failed("still there 10 s after SIGTERM") from None
        equal("exit code, stderr", (code, self.process.stderr.read()), (0, b""))
        return time.monotonic() - begin


class Client:
    def __init__(self, address, rcvbuf=0):
        self.socket = socket.socket()
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.settimeout(ANSWER_S)
        self.socket.connect(address)
        self.input = b""

    def close(self):
        self.socket.close()

    def ask(self, target, method="GET", headers="", version="1.1"):
        self.send("%s %s HTTP/%s\r\nHost: h\r\n%s\r\n" % (method, target, version, headers))

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise Failed("end of the connection after %d bytes of an answer" % len(self.input))
        self.input += data

    def answer(self, has_body=True):
        """(status, headers, body)"""
        while b"\r\n\r\n" not in self.input:
            self.more()
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers["content-length"]) if has_body else 0
        pieces, have = [self.input], len(self.input)
        while have < length:
            self.input = b""
            self.more()
            pieces.append(self.input)
            have += len(self.input)
        data = b"".join(pieces)
        self.input = data[length:]
        return int(lines[0].split()[1]), headers, data[:length]

    def is_ended(self):
        """Nothing but the end of the connection comes; a reset would be an error."""
        return not self.input and self.socket.recv(1) == b""


def check_bytes(answer, size):
    status, headers, body = answer
    equal("status of /bytes/%d" % size, status, 200)
    equal("length", int(headers["content-length"]), size)
    true("/bytes/%d has other bytes than it should" % size, body == BODIES[size])


def every_byte_is_right(how):
    with Server(how, "--sndbuf", SNDBUF) as server:
        client = server.dial()
        for _ in range(2):  # the second time from the cache; all on one connection
            for size in SIZES:
                client.ask("/bytes/%d" % size)
                check_bytes(client.answer(), size)
        for size in SIZES:
            check_bytes(server.get("/bytes/%d" % size), size)
        client.ask("/bytes/100", method="HEAD")
        status, headers, _ = client.answer(has_body=False)
        equal("HEAD", (status, headers["content-length"]), (200, "100"))
        client.ask("/bytes/1")
        check_bytes(client.answer(), 1)
        client.close()


def slow_reader_gets_every_byte_and_others_are_served(how):
    """Not so with single and its kind: there everybody waits for the slow one, and so does this."""
    size = 1 << 20
    with Server(how, "--sndbuf", "16384") as server:
        slow = server.dial(rcvbuf=16384)  # with 4096 a megabyte takes 10 s, at loopback's MSS
        slow.ask("/bytes/%d" % size)
        time.sleep(0.05)
        if how not in ("single", "dispatch", "dispatch_fix"):
            for _ in range(4):
                check_bytes(server.get("/bytes/100"), 100)
        check_bytes(slow.answer(), size)
        slow.close()


def pipelined_requests_are_answered_in_turn(how):
    sizes = [100, 0, 16384, 1, 1 << 20, 100] * 5
    with Server(how, "--sndbuf", SNDBUF) as server:
        client = server.dial()
        text = "".join("GET /bytes/%d HTTP/1.1\r\nHost: h\r\n\r\n" % size for size in sizes)
        client.send(text[:-3])
        for size in sizes[:-1]:
            check_bytes(client.answer(), size)
        client.send(text[-3:])
        check_bytes(client.answer(), sizes[-1])
        client.close()


def connection_ends_when_asked_to(how):
    with Server(how) as server:
        for headers, version in (("Connection: close\r\n", "1.1"), ("", "1.0")):
            for size in (0, 100, 1 << 20):
                client = server.dial()
                client.ask("/bytes/%d" % size, headers=headers, version=version)
                answer = client.answer()
                check_bytes(answer, size)
                equal("connection", answer[1]["connection"], "close")
                true("stays open", client.is_ended())
                client.close()
        client = server.dial()
        client.ask("/bytes/1", headers="Connection: keep-alive\r\n", version="1.0")
        equal("connection", client.answer()[1]["connection"], "keep-alive")
        client.ask("/bytes/1")
        check_bytes(client.answer(), 1)
        client.close()


REFUSED = {
    b"nonsense\r\n\r\n": 400,
    b"GET /bytes/1 HTTP/1.1\r\n\r\n": 400,
    b"GET /bytes/1 HTTP/1.1\nHost: h\n\n": 400,
    b"GET /bytes/1 HTTP/3.1\r\nHost: h\r\n\r\n": 400,
    b"GET /bytes/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 9000 + b"\r\n\r\n": 431,
    b"\x00" * 100: 400,
}
OTHERS = {"/nothing": 404, "/bytes/": 404, "/bytes/-1": 404, "/bytes/67108865": 404,
          "/bytes/1x": 404, "/" + "a" * 1000: 404}


def bad_request_is_refused_and_hurts_nobody(how):
    with Server(how) as server:
        for text, status in REFUSED.items():
            client = server.dial()
            client.send(text)
            answer = client.answer()
            equal("answer to %r" % text[:60], (answer[0], answer[1]["connection"]),
                  (status, "close"))
            true("stays open after %r" % text[:60], client.is_ended())
            client.close()
        client = server.dial()
        for target, status in OTHERS.items():
            client.ask(target)
            equal(target[:40], client.answer()[0], status)
        client.ask("/bytes/1", method="DELETE")
        equal("DELETE", client.answer()[0], 405)
        client.ask("/bytes/100")
        check_bytes(client.answer(), 100)
        client.close()


def make_root():
    root = box.directory("root")
    os.mkdir(os.path.join(root, "sub"))
    files = {"a.txt": b"hello\n", "empty": b"", "sub/index.html": b"<p>", "big": BODIES[1 << 20],
             "with space": b"x" * 5000}
    for name, data in files.items():
        with open(os.path.join(root, name), "wb") as f:
            f.write(data)
    os.symlink("a.txt", os.path.join(root, "inside"))
    os.symlink("/etc/passwd", os.path.join(root, "outside"))
    os.symlink("..", os.path.join(root, "up"))
    os.symlink("/proc/self/root", os.path.join(root, "magic"))
    os.mkfifo(os.path.join(root, "fifo"))
    return root, files


NOT_FILES = ("/outside", "/up/root/a.txt", "/up/", "/magic/etc/passwd", "/fifo", "/sub", "/nope",
             "/../a.txt", "/sub/../a.txt", "/%2e%2e/a.txt", "/sub%2f..%2fa.txt", "//a.txt",
             "/a.txt/", "/./a.txt", "/a.txt%00")


def files_are_served_and_nothing_else(how):
    root, files = make_root()
    with Server(how, "--root", root, "--sndbuf", "16384") as server:
        client = server.dial()
        names = dict(files, inside=files["a.txt"])
        names["sub/"] = files["sub/index.html"]
        for _ in range(2):
            for name, data in names.items():
                client.ask("/" + name.replace(" ", "%20"))
                status, _, body = client.answer()
                equal("status of " + name, status, 200)
                true("%s has other bytes" % name, body == data)
        for target in NOT_FILES:
            client.ask(target)
            equal(target, client.answer()[0], 404)
        # A file that changed is a new one, in every copy and from every cache.
        with open(os.path.join(root, "new"), "wb") as f:
            f.write(b"other")
        os.rename(os.path.join(root, "new"), os.path.join(root, "a.txt"))
        equal("changed file", server.get("/a.txt")[2], b"other")
        os.unlink(os.path.join(root, "a.txt"))
        equal("removed file", server.get("/a.txt")[0], 404)
        check_bytes(server.get("/bytes/100"), 100)
        client.close()


def stats_add_up(how):
    with Server(how) as server:
        for _ in range(10):
            check_bytes(server.get("/bytes/100"), 100)
        # Between the last byte and its count, in another thread or copy, the question may come.
        stats = wait_until("all but the question to be counted", lambda: settled(server.stats()))
        equal("arch", stats["arch"], HOW[how][1])
        true("requests %d" % stats["requests"], stats["requests"] >= 11)
        equal("refusals", stats["refusals"], 0)
        # Answers to /stats are never sent by sendfile(), nor are heads.
        equal("writes but sendfiles", stats["writes"] - stats["sendfiles"], stats["responses"])
        equal("sendfiles", stats["sendfiles"], 10 if "sendfile" in how else 0)


def settled(stats):
    return stats if stats["requests"] - stats["responses"] == 1 else None


def server_ends_at_once(how):
    """With connections that idle, ask half a question, and do not read their answer."""
    with Server(how, "--sndbuf", "16384") as server:
        clients = [server.dial(rcvbuf=4096) for _ in range(12)]
        for i, client in enumerate(clients):
            if i % 3 == 1:
                client.send("GET /by")
            if i % 3 == 2:
                client.ask("/bytes/%d" % (8 << 20))
        time.sleep(0.1)
        seconds = server.stop()
        true("took %.2f s" % seconds, seconds < STOP_S)
        for client in clients:
            client.close()


def many_connections_are_kept_and_served(how):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the server's, too
    count = min(hard - 200, MANY_THREADS if how.startswith("threads") else MANY)
    with Server(how) as server:
        clients = [server.dial() for _ in range(count)]
        for i in range(0, count, 100):  # a batch is less than any queue holds
            for client in clients[i:i + 100]:
                client.ask("/bytes/100")
            for client in clients[i:i + 100]:
                check_bytes(client.answer(), 100)
        stats = server.stats()
        equal("accepts, closes", (stats["accepts"], stats["closes"]), (count + 1, 0))
        for client in clients:
            client.close()
        wait_until("all to be closed", lambda: server.stats()["closes"] > count)
        seconds = server.stop()
        true("took %.2f s" % seconds, seconds < STOP_S)


def seda_sheds_what_its_queues_do_not_hold():
    """One thread for work that takes long, and a queue of one: most of a burst is refused."""
    with Server("seda", "--threads", "1", "--queue", "1", "--work", "50") as server:
        clients = [server.dial() for _ in range(40)]
        for client in clients:
            client.ask("/bytes/%d" % (1 << 20))
        statuses = []
        for client in clients:
            try:
                statuses.append(client.answer()[0])
            except (Failed, ConnectionResetError):
                statuses.append(0)  # closed before the send
            client.close()
        true("statuses %r" % statuses, set(statuses) <= {200, 503, 0})
        true("nobody was served: %r" % statuses, 200 in statuses)
        true("nobody was refused: %r" % statuses, 503 in statuses)
        time.sleep(0.3)
        stages = {stage["name"]: stage for stage in server.stats()["stages"]}
        true("shed: %r" % stages, sum(stage["shed"] for stage in stages.values()) >= 1)
        for stage in stages.values():
            true("queue of %r" % stage, stage["queue_length_max"] <= 1)


def seda_gets_threads_when_queues_are_long():
    with Server("seda", "--work", "100") as server:
        clients = [server.dial() for _ in range(200)]  # more than one batch holds
        for client in clients:
            client.ask("/bytes/100000")
        for client in clients:
            equal("status", client.answer()[0], 200)
            client.close()
        work = server.stats()["stages"][1]
        equal("name", work["name"], "work")
        true("threads: %r" % work, work["threads_added"] >= 1)
        true("batches: %r" % work, work["batch_cuts"] >= 1)


def shared_cache_is_filled_once():
    with Server("symped_shared_cache") as server:
        for _ in range(40):
            check_bytes(server.get("/bytes/16384"), 16384)
        cache = server.stats()["cache"]
        # Two copies that make it at the same time would both put it in; these came in turn.
        equal("cache", (cache["shared"], cache["entries"]), (True, 1))


def hybrid_corrects_a_wrong_guess():
    """The same class, first read at once, then by a client that makes it spin."""
    size = 60000
    with Server("hybrid", "--sndbuf", "16384") as server:
        BODIES[size] = pattern(size)
        for _ in range(20):
            slow = server.dial(rcvbuf=4096)
            slow.ask("/bytes/%d" % size)
            time.sleep(0.01)
            check_bytes(slow.answer(), size)
            slow.close()
        stats = server.stats()
        (row,) = [r for r in stats["class_map"] if r["from_bytes"] <= size + 150 <= r["to_bytes"]]
        equal("path", row["path"], "heavy")
        true("heavy responses: %d" % stats["heavy_responses"], stats["heavy_responses"] >= 19)


BAD_OPTIONS = (
    ["--arch", "nothing"], ["--what"], ["--port", "65536"], ["--port", "x"], ["--port"],
    ["--arch", "single", "--send=copy"], ["--arch", "threads", "--send=sendfile"],
    ["--arch", "symped", "--send=sendfile-b"], ["--arch", "yield", "--blocking"],
    ["--arch", "symped", "--shared-cache", "--send=sendfile"], ["--arch", "seda", "--queue", "0"],
    ["--arch", "single", "--threads", "2"], ["--arch", "pipeline", "--threads", "0"],
    ["--et=1", "--arch", "yield"], ["word"],
)


def bad_option_is_named():
    for options in BAD_OPTIONS:
        done = run([REACTOR, *options], env=environment())
        equal("exit code of %r" % options, done.returncode, 2)
        equal("stdout of %r" % options, done.stdout, b"")
        true("says nothing about %r: %r" % (options, done.stderr),
             done.stderr.count(b"\n") == 1 and options[-1].lstrip("-").split("=")[0].encode()
             in done.stderr or b"--" in done.stderr)
    for root in ("/nonexistent", REACTOR):
        done = run([REACTOR, "--root", root], env=environment())
        equal("exit code of --root " + root, done.returncode, 1)
        true("stderr %r" % done.stderr, root.encode() in done.stderr)


def help_lists_every_architecture():
    done = run([REACTOR, "--help"], env=environment())
    equal("exit code", done.returncode, 0)
    listed = {line.split()[0] for line in
              done.stdout.decode().split("architectures:")[1].splitlines() if line[:3] > "  "}
    equal("not listed", {args[1] for args in HOW.values()} - listed, set())
    equal("not tested", {name for name in listed if name.islower()} -
          {args[1] for args in HOW.values()} - {"with"}, set())


suite = Suite()
for how in HOW:
    for case in (every_byte_is_right, slow_reader_gets_every_byte_and_others_are_served,
                 pipelined_requests_are_answered_in_turn, connection_ends_when_asked_to,
                 bad_request_is_refused_and_hurts_nobody, files_are_served_and_nothing_else,
                 stats_add_up, server_ends_at_once, many_connections_are_kept_and_served):
        suite.run("%s_%s" % (how, case.__name__), case, how)
for case in (seda_sheds_what_its_queues_do_not_hold, seda_gets_threads_when_queues_are_long,
             shared_cache_is_filled_once, hybrid_corrects_a_wrong_guess, bad_option_is_named,
             help_lists_every_architecture):
    suite.run(case.__name__, case)
suite.end()
