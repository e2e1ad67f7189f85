/* SPDX-License-Identifier: MIT */
/*
 * What the hosts of this benchmark share: a listener, the end of a request, the head of an answer.
 *
 * They serve short GET requests without a body, on kept connections, and say in one line of JSON at
 * their end what only they can count. Whatever goes wrong in them ends them: a benchmark of a host
 * that limps is worth nothing.
 */
#ifndef BENCH_WAKEUPS_HOST_H
#define BENCH_WAKEUPS_HOST_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "examples/common/options.h"

#define HOST_HEAD    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n"
#define HOST_EVENTS  256
#define HOST_BACKLOG 1024

/* The value of a call that must not fail. */
static inline int host_need(int ret, const char *what)
{
	if (ret < 0) {
		perror(what);
		exit(1);
	}
	return ret;
}

static inline struct sockaddr_in host_address(long port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A non-blocking listener on 127.0.0.1. */
static inline int host_listen(long port)
{
	const struct sockaddr_in to = host_address(port);
	int fd = host_need(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket"), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	host_need(bind(fd, (const struct sockaddr *)&to, sizeof(to)), "bind");
	host_need(listen(fd, HOST_BACKLOG), "listen");
	return fd;
}

/* A client's connection without delays, or -1 when there is none. */
static inline int host_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static inline void host_watch(int epoll_fd, int fd, uint32_t mask, void *data)
{
	struct epoll_event event = { .events = mask, .data.ptr = data };

	host_need(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

/* How many requests end within the bytes. matched: characters of the end seen so far, kept per
 * connection. */
static inline unsigned int host_count_requests(unsigned int *matched, const char *data,
					       size_t bytes)
{
	static const char end[] = "\r\n\r\n";
	unsigned int requests = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (data[i] == end[*matched])
			++*matched;
		else
			*matched = data[i] == end[0];
		if (*matched == sizeof(end) - 1) {
			requests++;
			*matched = 0;
		}
	}
	return requests;
}

/* Answers here are a fraction of any send buffer: less than all of one is a mistake. */
static inline void host_send(int fd, const char *data, size_t bytes)
{
	if (send(fd, data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes && errno != EPIPE &&
	    errno != ECONNRESET)
		host_need(-1, "send");
}

#endif
