/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

static int listener_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Options that accepted sockets inherit, so that they cost nothing per connection. */
static int listener_tune(int fd, long sndbuf_bytes)
{
	int ret = listener_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	/* Tomcat and Netty set it too. Without it the short end of a response that was cut by a
	 * stall waits for the client's delayed ACK, which would be counted as our slowness. */
	if (!ret)
		ret = listener_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* The kernel doubles it, and stops tuning it: what the paper's 16 KB buffer does. */
	if (!ret && sndbuf_bytes)
		ret = listener_set(fd, SOL_SOCKET, SO_SNDBUF, (int)sndbuf_bytes);
	return ret;
}

/* Where one listener of ours is to be; socklen 0: nowhere yet. */
struct place {
	struct sockaddr_storage addr;
	socklen_t len;
};

/*
 * The first of several becomes one of a group only after its bind(). So that bind fails where
 * another server has the port, instead of sharing it with that server's copies by mistake.
 */
static int listener_bind(int fd, const struct place *place, bool is_first, bool is_shared)
{
	int ret = is_shared && !is_first ? listener_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;

	if (!ret && bind(fd, (const struct sockaddr *)&place->addr, place->len) < 0)
		ret = -errno;
	if (!ret && is_shared && is_first)
		ret = listener_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return ret;
}

static int listener_open(const struct settings *s, const struct place *place, bool is_first,
			 int *ret_fd)
{
	int fd = socket(place->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = listener_tune(fd, s->sndbuf_bytes);
	if (!ret)
		ret = listener_bind(fd, place, is_first, s->copies > 1 && !s->is_listener_shared);
	/* 65 535: the kernel cuts it to net.core.somaxconn. */
	if (!ret && listen(fd, 65535) < 0)
		ret = -errno;
	if (ret)
		close(fd);
	else
		*ret_fd = fd;
	return ret;
}

/* The first listener, at the first address of the host that works. */
static int listener_open_first(const struct settings *s, int *ret_fd)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *infos;
	char port[16];
	int ret;

	snprintf(port, sizeof(port), "%ld", s->port);
	ret = getaddrinfo(s->host, port, &hints, &infos);
	if (ret) {
		fprintf(stderr, "cannot resolve '%s': %s\n", s->host, gai_strerror(ret));
		return -EADDRNOTAVAIL;
	}
	ret = -EADDRNOTAVAIL;
	for (struct addrinfo *info = infos; info && ret; info = info->ai_next) {
		struct place place = { .len = info->ai_addrlen };

		memcpy(&place.addr, info->ai_addr, info->ai_addrlen);
		ret = listener_open(s, &place, true, ret_fd);
	}
	freeaddrinfo(infos);
	if (ret)
		fprintf(stderr, "cannot listen on %s:%ld: %s\n", s->host, s->port, strerror(-ret));
	return ret;
}

/* The others, on the port the first one really got. */
static int listener_open_next(const struct settings *s, int first_fd, int *ret_fd)
{
	struct place place = { .len = sizeof(place.addr) };
	int ret;

	/* The same queue under another number: each copy closes what is not its own. */
	if (s->is_listener_shared) {
		*ret_fd = fcntl(first_fd, F_DUPFD_CLOEXEC, 0);
		return *ret_fd < 0 ? -errno : 0;
	}
	if (getsockname(first_fd, (struct sockaddr *)&place.addr, &place.len) < 0)
		ret = -errno;
	else
		ret = listener_open(s, &place, false, ret_fd);
	if (ret)
		fprintf(stderr, "cannot share the port among copies: %s\n", strerror(-ret));
	return ret;
}

int listeners_open(const struct settings *settings, int *ret_fds, long count)
{
	int ret = listener_open_first(settings, &ret_fds[0]);
	long opened;

	if (ret)
		return ret;
	for (opened = 1; opened < count && !ret; opened++)
		ret = listener_open_next(settings, ret_fds[0], &ret_fds[opened]);
	if (ret) /* the last one that was tried is not open */
		for (opened--; opened > 0; opened--)
			close(ret_fds[opened - 1]);
	return ret;
}
