/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the transparency tests share. A helper is an ordinary host that knows
 * nothing of the shim: it plays one scene and checks by itself that everything it saw is what
 * POSIX and Linux allow without any shim (exit 0), or says FAIL on stderr (exit 1). It is run bare,
 * under each strategy, and under the mutants, which it must catch.
 *
 *	fact NAME VALUE    something measured, for tests/transparency/tr.py to judge
 *	said ...           a line that must be the same as in the bare run
 *
 * Stalls are real: small send buffers (inherited from the listener) and peers that do not read.
 * All bytes sent on a connection are tr_pattern from offset 0 on, so that every reader can check
 * order, losses and doubles.
 */
#ifndef UNSPIN_TESTS_TR_H
#define UNSPIN_TESTS_TR_H

#include "ct.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define TR __attribute__((unused)) static
#define MS 1000000ull

static int watchdog_seconds;

TR void *watch(void *unused)
{
	sigset_t all;

	(void)unused;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sleep_us((unsigned)watchdog_seconds * 1000000);
	die("hang: not done after %d s", watchdog_seconds);
}

/* A hang is a failure, said by us rather than by the runner. */
TR void watchdog(int seconds)
{
	pthread_t thread;

	watchdog_seconds = seconds;
	MUST(pthread_create(&thread, NULL, watch, NULL) == 0);
	pthread_detach(thread);
}

/* ---- the stream ------------------------------------------------------------------------ */

#define PATTERN_BYTES (4u << 20)

static unsigned char *tr_pattern;
static int tr_file = -1; /* the same bytes in a file, for sendfile */

TR void pattern_make(void)
{
	uint64_t x = 88172645463325252ull;

	tr_pattern = mmap(NULL, PATTERN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	MUST(tr_pattern != MAP_FAILED);
	for (size_t i = 0; i < PATTERN_BYTES; i += 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
		memcpy(tr_pattern + i, &x, 8);
	}
	tr_file = (int)syscall(SYS_memfd_create, "pattern", 0);
	for (size_t at = 0; at < PATTERN_BYTES;) {
		long n = syscall(SYS_write, tr_file, tr_pattern + at, PATTERN_BYTES - at);

		MUST(n > 0);
		at += (size_t)n;
	}
}

/*
 * Takes what has arrived at a peer, which has had *at bytes so far, and compares it. By raw system
 * call: what the peers do is not the scene. 1: the stream ended (*ret_error: 0 or ECONNRESET).
 */
TR int take(int fd, size_t *at, int *ret_error)
{
	static __thread unsigned char buffer[65536];
	long n;

	while ((n = syscall(SYS_recvfrom, fd, buffer, sizeof(buffer), MSG_DONTWAIT, NULL, NULL)) > 0) {
		if (*at + (size_t)n > PATTERN_BYTES || memcmp(buffer, tr_pattern + *at, (size_t)n))
			die("the peer got other bytes than were sent, after %zu", *at);
		*at += (size_t)n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (ret_error)
		*ret_error = n < 0 ? errno : 0;
	return 1;
}

/* Until the end of the stream; returns all the bytes it carried. */
TR size_t take_all(int fd, size_t at, int *ret_error)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec t = { 2, 0 };

	while (!take(fd, &at, ret_error)) {
		struct timespec left = t;

		if (syscall(SYS_ppoll, &p, 1, &left, NULL, 8) == 0)
			die("the stream does not end");
	}
	return at;
}

/* Until nothing has come for some time. */
TR size_t take_quiet(int fd, size_t at)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		struct timespec t = { 0, 15 * 1000000 };

		if (take(fd, &at, NULL) || syscall(SYS_ppoll, &p, 1, &t, NULL, 8) == 0)
			return at;
	}
}

/* ---- connections ----------------------------------------------------------------------- */

struct door {
	int listener;
	struct sockaddr_in address;
};

struct pair {
	int fd;   /* the host's: accepted, non-blocking, small send buffer */
	int peer; /* the other end: blocking, untouched by the scene */
};

/* A listener whose connections inherit the send buffer (0: the kernel's default). */
TR struct door door_open(int sndbuf)
{
	struct door d = { .listener = socket(AF_INET, SOCK_STREAM, 0) };
	socklen_t bytes = sizeof(d.address);

	MUST(d.listener >= 0);
	d.address.sin_family = AF_INET;
	d.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (sndbuf)
		set_int(d.listener, SOL_SOCKET, SO_SNDBUF, sndbuf);
	MUST(bind(d.listener, (struct sockaddr *)&d.address, bytes) == 0);
	MUST(listen(d.listener, 512) == 0);
	MUST(getsockname(d.listener, (struct sockaddr *)&d.address, &bytes) == 0);
	return d;
}

TR int dial(const struct door *d, int rcvbuf)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	MUST(fd >= 0);
	if (rcvbuf)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, rcvbuf);
	MUST(syscall(SYS_connect, fd, &d->address, sizeof(d->address)) == 0);
	return fd;
}

TR struct pair pair_open(const struct door *d, int rcvbuf)
{
	struct pair p = { .peer = dial(d, rcvbuf) };

	p.fd = accept(d->listener, NULL, NULL);
	MUST(p.fd >= 0);
	set_nonblocking(p.fd);
	return p;
}

TR struct pair unix_open(void)
{
	int both[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0);
	set_int(both[0], SOL_SOCKET, SO_SNDBUF, 32768);
	set_nonblocking(both[0]);
	return (struct pair){ both[0], both[1] };
}

/* The peer ends, so that its sender gets a reset instead of an end. */
TR void reset_by(int peer)
{
	struct linger linger = { 1, 0 };

	setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	MUST(syscall(SYS_close, peer) == 0);
}

#endif
