/* SPDX-License-Identifier: MIT */
/*
 * What it_known's cases stand on: one connection, both ends in this process, with buffers small
 * enough to fill at once. What must not be counted (filling them, the other side's reads) is done
 * by raw system calls, which no preload sees. Every failure ends the program.
 */
#ifndef UNSPIN_TESTS_IT_HOST_H
#define UNSPIN_TESTS_IT_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition) ((condition) ? (void)0 : give_up(__FILE__, __LINE__, #condition))

enum { NOT_PROVOKED = 3 }; /* exit code: the machine did not play along, try again */

static void give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s, errno %d\n", file, line, what, errno);
	exit(2);
}

static int host, peer; /* two ends of one connection */
static int listener;
static char block[1 << 20];

static long raw_write(int fd, size_t bytes)
{
	return syscall(SYS_write, fd, block, bytes);
}

static long raw_read(int fd)
{
	return syscall(SYS_read, fd, block, sizeof(block));
}

static void raw_sleep_us(long us)
{
	struct timespec t = { 0, us * 1000 };

	syscall(SYS_nanosleep, &t, NULL);
}

static int raw_is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec now = { 0, 0 };

	return syscall(SYS_ppoll, &p, 1, &now, NULL, 8) == 1;
}

static void set_nonblocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static void set_blocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0);
}

static void set_buffer(int fd, int option, int bytes)
{
	MUST(syscall(SYS_setsockopt, fd, SOL_SOCKET, option, &bytes, sizeof(bytes)) == 0);
}

/* host is the accepted, non-blocking end. Small buffers: they fill fast, and stay full. */
static void connect_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	set_buffer(listener, SO_SNDBUF, 16384);
	MUST(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	MUST(listen(listener, 16) == 0);
	MUST(getsockname(listener, (struct sockaddr *)&address, &bytes) == 0);
	peer = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	set_buffer(peer, SO_RCVBUF, 4096);
	MUST(syscall(SYS_connect, peer, &address, bytes) == 0);
	host = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	MUST(host >= 0);
	set_nonblocking(peer);
}

static void connect_unix(void)
{
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	host = pair[0];
	peer = pair[1];
	set_nonblocking(host);
	set_nonblocking(peer);
}

/* Until even one byte has been refused for a while: TCP moves what it can meanwhile. */
static void fill(void)
{
	for (int refused = 0; refused < 5; refused++) {
		while (raw_write(host, sizeof(block)) > 0 || raw_write(host, 1) > 0)
			refused = 0;
		MUST(errno == EAGAIN);
		raw_sleep_us(500);
	}
}

static void drain(void)
{
	for (int quiet = 0; quiet < 3 || !raw_is_writable(host); quiet++) {
		while (raw_read(peer) > 0)
			quiet = 0;
		raw_sleep_us(200);
	}
}

/* Seen once in 500 fills: TCP finds room for a byte after all. Then the run says nothing. */
static void refused_writes(int count)
{
	for (int i = 0; i < count; i++)
		if (write(host, "x", 1) != -1)
			exit(NOT_PROVOKED);
}

static void full_writes(int count, size_t bytes)
{
	for (int i = 0; i < count; i++)
		MUST(write(host, block, bytes) == (ssize_t)bytes);
}

static void wait_writable(void)
{
	struct pollfd p = { .fd = host, .events = POLLOUT };

	MUST(poll(&p, 1, 10000) == 1);
}

/* The functions that send from vectors (how: 0 to 2), files and pipes: 100 bytes each. */

static void send_by_message(int how)
{
	struct iovec iov[2] = { { block, 40 }, { block, 60 } };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = iov + 1, .msg_iovlen = 1 } } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

	if (how == 0)
		MUST(writev(host, iov, 2) == 100);
	else if (how == 1)
		MUST(sendmsg(host, &message, 0) == 100);
	else
		MUST(sendmmsg(host, messages, 2, 0) == 2);
}

static void send_from_file(int file, const int pipe_ends[2])
{
	off_t offset = 0;
	off64_t offset64 = 0;

	MUST(sendfile(host, file, &offset, 100) == 100);
	MUST(sendfile64(host, file, &offset64, 100) == 100);
	MUST(raw_write(pipe_ends[1], 100) == 100);
	MUST(splice(pipe_ends[0], NULL, host, NULL, 100, 0) == 100);
}

static int epoll_on(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int set = epoll_create1(0);

	MUST(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	return set;
}

static int wait_once(int set, int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, timeout_ms);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

#endif
