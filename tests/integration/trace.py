# SPDX-License-Identifier: MIT
"""
A server under strace, and its system calls counted per process from the log: the truth that the
shim's totals must equal.

What is counted, and why it is the same set as the shim's:

  writes         write writev sendto sendmsg sendmmsg sendfile splice whose (output) descriptor is
                 a stream socket: -yy shows TCP, TCPv6 or UNIX-STREAM. Any result counts. Datagram
                 and netlink sockets (glibc's resolver), pipes, eventfds and files do not. Nor do
                 the library's own sends, which are
  retries        sends by which the library went on with a stalled call of the host's. It makes them,
                 and nothing else is made, while all signals but the synchronous ones are blocked:
                 told by the rt_sigprocmask before them. Of files they are sendfile, else sendmsg.
  write_bytes    what all of them sent; retry_bytes the retries' part.
  eagain_writes  those of them that returned EAGAIN: all stream sockets here are non-blocking.
  short_writes   those that returned fewer bytes than asked. None of these servers asks sendfile
                 for more than the file has, which would be no stall; none sends by splice.
  accepts        accept and accept4 that returned a descriptor.
  waits          epoll_wait epoll_pwait poll select pselect6, counted when they begin. The library
                 itself asks for writability with ppoll, which is therefore not in the list and
                 which none of these servers uses.

A process is counted from its first socket on, as the shim does: it makes its file then. A fork
child of a counted process is counted from its first instruction.
"""

import re

from common import PATIENCE_S, Failed, box, children, need, wait_until

WRITES = {"write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"}
WAITS = {"epoll_wait", "epoll_pwait", "poll", "select", "pselect6"}
ACCEPTS = {"accept", "accept4"}
BEGINS = {"socket", "epoll_create", "epoll_create1"}
SIGNALS = "rt_sigprocmask"
# shim/retry.c, SYNCHRONOUS_SIGNALS. No libc blocks just these.
RETRY_BEGINS = "SIG_SETMASK, ~[ILL TRAP BUS FPE SEGV SYS],"
BIRTHS = {"clone", "clone3", "fork", "vfork"}
COUNTED = ("writes", "write_bytes", "eagain_writes", "short_writes", "retries", "retry_bytes",
           "accepts", "waits")

CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$")
RESULT = re.compile(r"= (-?\d+)(?:<.*>)?(?: ([A-Z]+) \(.*\)| \([A-Z].*\))?$")
STREAM_KINDS = "TCP|TCPv6|UNIX-STREAM"
IOVEC_LENGTH = re.compile(r"iov_len=(\d+)")
LENGTH = {
    "write": re.compile(r'.*?>, (?:""(?:\.\.\.)?|0x\w+|NULL), (\d+)'),
    "sendfile": re.compile(r".*, (\d+)(?: <unfinished \.\.\.>|\)).*$"),
}
LENGTH["sendto"] = LENGTH["write"]
SPLICE_OUT = re.compile(r"^\d+<.*?>, (?:NULL|\[\d+\]), (\d+<.*)$")


class Strace:
    """kinds: the -yy words of the sockets whose writes are counted, separated by |."""

    def __init__(self, kinds=STREAM_KINDS):
        self.log = box.file("strace")
        self.kinds = kinds

    def options(self):
        names = sorted(WRITES | WAITS | ACCEPTS | BEGINS | BIRTHS | {SIGNALS})
        return ["-yy", "-v", "-qq", "-s", "0", "-e", "signal=none",
                "-e", "trace=" + ",".join(names)]

    def wrap(self, argv, env):
        """strace itself stays without the shim: the preload is set in the tracee only."""
        for_tracee = {k: v for k, v in env.items() if k == "LD_PRELOAD" or k.startswith("UNSPIN_")}
        own = {k: v for k, v in env.items() if k not in for_tracee}
        command = [need("strace"), "-f", "--seccomp-bpf", "-o", self.log] + self.options()
        for key, value in for_tracee.items():
            command += ["-E", "%s=%s" % (key, value)]
        return command + argv, own

    def attach(self, process):
        self.process = process

    def main_pid(self):
        return wait_until("strace's child", lambda: children(self.process.pid), PATIENCE_S)[0]

    def counts(self):
        """pid -> {"writes": n, ...}, of each name in COUNTED."""
        counter = Counter(self.log, self.kinds)
        if counter.odd:
            raise Failed("; ".join(counter.odd))
        return counter.processes


class StraceSummary(Strace):
    """strace -c: calls and errors of the named system calls, over all processes."""

    def __init__(self, names):
        super().__init__()
        self.names = names

    def options(self):
        return ["-c", "-e", "trace=" + ",".join(sorted(self.names))]

    def summary(self):
        """(calls, errors), summed. Lines: % time, seconds, usecs/call, calls, [errors,] name."""
        calls = errors = 0
        with open(self.log) as table:
            for line in table:
                fields = line.split()
                if fields and fields[-1] in self.names:
                    calls += int(fields[3])
                    errors += int(fields[4]) if len(fields) == 6 else 0
        return calls, errors


class Call:
    """One system call of the log: by whom, what, and the log lines of its begin and its end."""

    def __init__(self, thread, name, arguments, begun_at):
        self.thread = thread
        self.name = name
        self.arguments = arguments
        self.begun_at = begun_at
        self.ended_at = None  # still running when the log ended
        self.result = None
        self.error = None
        self.retry_of = None  # the name of the host's call, when this is the library's own


def asked(call):
    """The bytes the call wanted to send."""
    if call.name in ("writev", "sendmsg"):
        return sum(int(length) for length in IOVEC_LENGTH.findall(call.arguments))
    return int(LENGTH[call.name].match(call.arguments)[1])


class Counter:
    def __init__(self, path, kinds):
        self.kinds = re.compile(r"^\d+<(%s):" % kinds)
        self.calls = []
        self.births = {}    # child -> the Call that made it
        self.begins = {}    # process -> log line of its first socket
        self.odd = []       # retries that are not what they should be
        self.read(path)
        self.find_retries()
        for call in self.calls:
            if call.name in BIRTHS and call.result and call.result > 0:
                self.births[call.result] = call
        for call in self.calls:
            if call.name in BEGINS and call.result is not None and call.result >= 0:
                process = self.process_of(call.thread)
                self.begins[process] = min(call.ended_at, self.begins.get(process, call.ended_at))
        self.processes = {}
        for call in self.calls:
            self.count(call)

    def read(self, path):
        unfinished = {}
        with open(path, errors="replace") as log:
            for number, line in enumerate(log):
                match = CALL.match(line.rstrip("\n"))
                if not match:
                    continue
                thread, name, opening, rest = int(match[1]), match[2], match[3], match[4]
                if opening == "(":
                    call = Call(thread, name, rest, number)
                    self.calls.append(call)
                    if rest.endswith("<unfinished ...>"):
                        unfinished[thread] = call
                        continue
                else:
                    call = unfinished.pop(thread)
                    call.arguments += rest
                result = RESULT.search(rest)
                if result:
                    call.ended_at, call.result, call.error = number, int(result[1]), result[2]

    def find_retries(self):
        retrying = set()  # threads
        latest = {}       # thread -> the host's latest write on a stream socket
        for call in self.calls:
            if call.name == SIGNALS:
                retrying.discard(call.thread)
                if call.arguments.startswith(RETRY_BEGINS):
                    retrying.add(call.thread)
            elif call.name not in WRITES or not self.is_counted(call):
                continue
            elif call.thread in retrying:
                call.retry_of = latest[call.thread]
                if (call.name == "sendfile") != (call.retry_of == "sendfile") or \
                        call.name not in ("sendfile", "sendmsg"):
                    self.odd.append("a retry of %s by %s" % (call.retry_of, call.name))
            else:
                latest[call.thread] = call.name

    def process_of(self, thread):
        birth = self.births.get(thread)
        is_thread = birth is not None and "CLONE_THREAD" in birth.arguments
        return self.process_of(birth.thread) if is_thread else thread

    def begin_of(self, process):
        """The log line from which on the process is counted; None: never."""
        birth = self.births.get(process)
        if birth is not None and "CLONE_VFORK" not in birth.arguments:
            parent = self.begin_of(self.process_of(birth.thread))
            if parent is not None and parent < birth.begun_at:
                return -1
        return self.begins.get(process)

    def count(self, call):
        process = self.process_of(call.thread)
        begin = self.begin_of(process)
        if begin is None:
            return
        counts = self.processes.setdefault(process, dict.fromkeys(COUNTED, 0))
        if call.name in WAITS and call.begun_at > begin:
            counts["waits"] += 1
        if call.ended_at is None or call.ended_at <= begin:
            return
        if call.name in ACCEPTS and call.result >= 0:
            counts["accepts"] += 1
        if call.name in WRITES and self.is_counted(call):
            sent = max(call.result, 0)
            counts["write_bytes"] += sent
            if call.retry_of:
                counts["retries"] += 1
                counts["retry_bytes"] += sent
                return
            counts["writes"] += 1
            counts["eagain_writes"] += call.error == "EAGAIN"
            counts["short_writes"] += 0 <= call.result < asked(call)

    def is_counted(self, call):
        """Is the descriptor written to a stream socket?"""
        target = call.arguments
        if call.name == "splice":
            match = SPLICE_OUT.match(target)
            target = match[1] if match else ""
        return bool(self.kinds.match(target))
