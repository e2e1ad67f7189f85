/* SPDX-License-Identifier: MIT */
/* The descriptors ct_errno.c tries every call on, and the macro that tries and prints. */
#ifndef UNSPIN_TESTS_CT_ERRNO_H
#define UNSPIN_TESTS_CT_ERRNO_H

#include "ct.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <signal.h>

/* One case per row and alias; one that is missing is a null pointer. */
#define SYM(class, ret, name, params, args, raw) void case_##name(void) __attribute__((weak));
#define ALIAS(name, alias) void case_##alias(void) __attribute__((weak));
#include "shim/symbols.def"

/* Symbols without a prototype in any header. */
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
extern __typeof__(write) __write;
extern __typeof__(read) __read;
extern __typeof__(send) __send;
extern __typeof__(connect) __connect;
extern __typeof__(close) __close;
extern __typeof__(dup2) __dup2;
extern __typeof__(poll) __poll;
extern __typeof__(select) __select;

#define ODD 4711 /* no errno of the kernel's */
/* Hidden from the compiler, which would otherwise warn of the very misuse under test. */
static void *volatile bad_pointer = (void *)16;
static volatile int minus_one = -1;
#define BAD bad_pointer

static const char *current;
static char buffer[65536];
static volatile sig_atomic_t alarms;

/* One call: its label, its result, its errno. */
#define T(label, call) (errno = ODD, said(label, (long)(call)))

static void said(const char *label, long result)
{
	int error = errno;

	printf("%s %s %ld %d\n", current, label, result, error);
}

/* The things the calls are tried on. All descriptors are open in every case. */
static struct {
	int tcp, peer;		  /* connected, tcp non-blocking */
	int full;		  /* non-blocking, its buffer full; "fixed": of a size of ours */
	int reset;		  /* the peer has sent a reset */
	int unix_end, unix_peer;  /* a stream, non-blocking */
	int udp, fresh, listener; /* fresh: not connected */
	int pipe_out, pipe_in;
	int file, epoll, high;
} f;
static struct sockaddr_in address;
static int is_raw, is_fixed;

#define MAKE(name, ...) (is_raw ? (int)syscall(SYS_##name, __VA_ARGS__) : name(__VA_ARGS__))
#define DROP(fd) (is_raw ? (int)syscall(SYS_close, fd) : close(fd))

static void make_pair(int ret[2], int rcvbuf)
{
	ret[1] = MAKE(socket, AF_INET, SOCK_STREAM, 0);
	if (rcvbuf)
		set_int(ret[1], SOL_SOCKET, SO_RCVBUF, rcvbuf);
	MUST(MAKE(connect, ret[1], (void *)&address, sizeof(address)) == 0);
	ret[0] = MAKE(accept4, f.listener, NULL, NULL, SOCK_NONBLOCK);
	MUST(ret[0] >= 0);
}

static void make_sockets(void)
{
	struct linger linger = { 1, 0 };
	socklen_t bytes = sizeof(address);
	int pair[2];

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f.listener = MAKE(socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	MUST(bind(f.listener, (void *)&address, bytes) == 0);
	MUST(MAKE(listen, f.listener, 16) == 0);
	MUST(getsockname(f.listener, (void *)&address, &bytes) == 0);
	make_pair(pair, 0);
	f.tcp = pair[0], f.peer = pair[1];
	make_pair(pair, 4096);
	f.full = pair[0];
	if (is_fixed)
		set_int(f.full, SOL_SOCKET, SO_SNDBUF, 20000);
	while (syscall(SYS_sendto, f.full, buffer, sizeof(buffer), 0, NULL, 0) > 0)
		;
	make_pair(pair, 0);
	f.reset = pair[0];
	MUST(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	DROP(pair[1]);
	f.udp = MAKE(socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	f.fresh = MAKE(socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

static void make_fixtures(void)
{
	char path[] = "/tmp/ct_errnoXXXXXX";
	int pair[2];

	make_sockets();
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	f.unix_end = pair[0], f.unix_peer = pair[1];
	MUST(pipe2(pair, O_NONBLOCK) == 0);
	f.pipe_in = pair[0], f.pipe_out = pair[1];
	f.file = mkstemp(path);
	MUST(f.file >= 0 && unlink(path) == 0 && ftruncate(f.file, 4096) == 0);
	f.epoll = is_raw ? (int)syscall(SYS_epoll_create1, 0) : epoll_create1(0);
	f.high = fcntl(0, F_DUPFD, 100);
	MUST(f.epoll >= 0 && f.high == 100);
}

static void drop_fixtures(void)
{
	for (int fd = 3; fd < 120; fd++)
		DROP(fd);
}

static void on_alarm(int unused)
{
	(void)unused;
	alarms++;
}

static void alarm_every(int us)
{
	struct itimerval every = { { 0, us }, { 0, us } };

	MUST(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

/* A call that blocks until a signal comes; again and again, lest one come before the call. */
#define T_INTERRUPTED(call) (alarm_every(3000), T("interrupted", call), alarm_every(0))

static void make_blocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0);
}

static void feed(int fd, const char *text)
{
	MUST(syscall(SYS_write, fd, text, strlen(text)) == (long)strlen(text));
}

#endif
