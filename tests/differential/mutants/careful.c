/* SPDX-License-Identifier: MIT */
/* caught: nothing */
/* seeds: 0 2 3 9 10 11 22 35 */
/*
 * The control: a blocking write that breaks no rule, so that what the test says of the others is
 * not said of every library that waits. What it takes: slices; identity before every retry; no
 * retry once the socket has an error, and one met by a retry kept for the next call; an end at
 * every signal, wherever it hit us, because its handler may have written; signals held off
 * between that check and the retry; no wait for a call that says MSG_DONTWAIT itself; errno as
 * it was before the call when a stall becomes a success; and a real stall as the last word.
 */
#define NO_AFTER
#include "mutant.h"

#include <signal.h>
#include <stdint.h>

#define LIMIT_NS 60000000

static struct {
	_Atomic uint64_t cookie; /* whose error it is */
	_Atomic int error;
	_Atomic unsigned calls; /* writes that went through here */
} slots[4096];

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t bytes = sizeof(cookie);

	return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes) ? 0 : cookie;
}

static int is_tcp(int fd)
{
	int protocol = 0;
	socklen_t bytes = sizeof(protocol);

	return !syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &bytes) &&
	       protocol == 6;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One retry if the socket is still ours and nobody has written meanwhile; -EBADF: stop. */
static ssize_t retry(int fd, const char *buf, size_t n, uint64_t cookie, unsigned calls)
{
	uint64_t all = ~0ull, before;
	ssize_t r = -EBADF;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
	if (slots[fd].calls == calls && cookie_of(fd) == cookie) {
		r = send_rest(fd, buf, n);
		r = r < 0 ? -errno : r;
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
	return r;
}

static ssize_t finish(int fd, const char *buf, size_t n, ssize_t r, unsigned calls)
{
	size_t done = r > 0 ? (size_t)r : 0;
	uint64_t cookie = cookie_of(fd), end = now_ns() + LIMIT_NS;
	struct pollfd p = { fd, POLLOUT, 0 };

	while (done < n && now_ns() < end) {
		int ready = (int)syscall(SYS_poll, &p, 1, 1);

		if (ready < 0 || p.revents & (POLLERR | POLLHUP | POLLNVAL))
			break;
		if (!ready && cookie_of(fd) == cookie && slots[fd].calls == calls)
			continue;
		r = retry(fd, buf + done, n - done, cookie, calls);
		if (r == -EAGAIN)
			continue;
		if (r == -ECONNRESET && done) {
			slots[fd].error = ECONNRESET;
			slots[fd].cookie = cookie;
		}
		if (r < 0)
			break;
		done += (size_t)r;
	}
	return done ? (ssize_t)done : -1;
}

/* An error a retry has met comes out now; true when there was one. */
static int replay(int fd)
{
	if (!slots[fd].error || slots[fd].cookie != cookie_of(fd))
		return 0;
	errno = slots[fd].error;
	slots[fd].error = 0;
	return 1;
}

#define WRAP(fd, buf, n, flags, call)                                                              \
	({                                                                                         \
		unsigned calls_;                                                                   \
		ssize_t r_;                                                                        \
		int entry_ = errno, saved_;                                                        \
		if (fd < 0 || fd >= 4096)                                                          \
			return call;                                                               \
		calls_ = ++slots[fd].calls;                                                        \
		if (replay(fd))                                                                    \
			return -1;                                                                 \
		r_ = call;                                                                         \
		saved_ = errno;                                                                    \
		if (!((flags)&MSG_DONTWAIT) && is_stalled(fd, n, flags, r_) && is_tcp(fd) &&       \
		    calls_ == slots[fd].calls)                                                     \
			r_ = finish(fd, buf, n, r_, calls_);                                       \
		errno = r_ < 0 ? saved_ : entry_; /* success leaves errno as it was */             \
		r_;                                                                                \
	})

ssize_t write(int fd, const void *buf, size_t n)
{
	return WRAP(fd, buf, n, 0, REAL(write)(fd, buf, n));
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return WRAP(fd, buf, n, flags, REAL(send)(fd, buf, n, flags));
}

ssize_t __write(int fd, const void *buf, size_t n) __attribute__((alias("write")));
ssize_t __send(int fd, const void *buf, size_t n, int flags) __attribute__((alias("send")));
