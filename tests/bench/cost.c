/* SPDX-License-Identifier: MIT */
/*
 * What one wrapped call costs: a host for callgrind. `cost OPERATION SOCKETS CALLS` holds SOCKETS
 * sockets open, connects the last over loopback, warms the call up, then makes CALLS calls inside
 * measured(), the only function callgrind collects (--toggle-collect=measured). tests/bench/cost.py
 * divides the instructions spent in libunspin.so by CALLS.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define WARM_UP 64
#define BYTES 64

static char buffer[BYTES];
static int epfd;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void do_write(int fd)
{
	if (write(fd, buffer, BYTES) < 0)
		die("write");
}

static void do_send(int fd)
{
	if (send(fd, buffer, BYTES, MSG_NOSIGNAL) < 0)
		die("send");
}

static void do_writev(int fd)
{
	struct iovec iov[2] = { { buffer, 16 }, { buffer + 16, BYTES - 16 } };

	if (writev(fd, iov, 2) < 0)
		die("writev");
}

static void do_read(int fd)
{
	if (read(fd, buffer, BYTES) < 0)
		die("read");
}

static void do_epoll_wait(int fd)
{
	struct epoll_event event;

	(void)fd;
	if (epoll_wait(epfd, &event, 1, 0) < 0)
		die("epoll_wait");
}

static const struct operation {
	const char *name;
	void (*call)(int fd);
	int on_socket; /* 0: an eventfd or /dev/null instead */
	int needs_input;
} operations[] = {
	{ "write", do_write, 1, 0 },	 { "send", do_send, 1, 0 },
	{ "writev", do_writev, 1, 0 },	 { "read", do_read, 1, 1 },
	{ "write-file", do_write, 0, 0 }, { "read-file", do_read, 0, 0 },
	{ "epoll_wait", do_epoll_wait, 1, 1 },
};

/* The one function callgrind looks into. */
__attribute__((noinline)) static void measured(const struct operation *operation, int fd)
{
	operation->call(fd);
	__asm__ volatile("" ::: "memory");
}

static void round_trip(const struct operation *operation, int fd, int peer,
		       void (*go)(const struct operation *, int))
{
	static char sink[4096];

	if (operation->needs_input && write(peer, buffer, BYTES) != BYTES)
		die("peer write");
	go(operation, fd);
	if (!operation->on_socket)
		return;
	if (!operation->needs_input && read(peer, sink, sizeof(sink)) < 0)
		die("peer read");
	if (operation->call == do_epoll_wait && read(fd, sink, sizeof(sink)) < 0)
		die("drain");
}

static void plainly(const struct operation *operation, int fd)
{
	operation->call(fd);
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		die("connect");
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event event = { .events = EPOLLIN };
	struct rlimit limit;
	socklen_t bytes = sizeof(address);
	const struct operation *operation = NULL;
	int listener, peer = -1, fd = -1, sockets, calls;

	if (argc != 4)
		return 2;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(operations[i].name, argv[1]))
			operation = &operations[i];
	if (!operation)
		return 2;
	sockets = atoi(argv[2]);
	calls = atoi(argv[3]);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 128) || getsockname(listener, (struct sockaddr *)&address, &bytes))
		die("listen");
	for (int i = 1; i < sockets; i++)
		if (socket(AF_INET, SOCK_STREAM, 0) < 0)
			die("socket");
	peer = dial(&address);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	if (!operation->on_socket)
		fd = open(operation->needs_input ? "/dev/zero" : "/dev/null", O_RDWR);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	epfd = epoll_create1(0);
	event.data.fd = fd;
	if (operation->on_socket && epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
	for (int i = 0; i < WARM_UP; i++)
		round_trip(operation, fd, peer, plainly);
	for (int i = 0; i < calls; i++)
		round_trip(operation, fd, peer, measured);
	return 0;
}
