/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server *signalled;

/* The flag is for loops that compute or spin, the eventfd for those that wait. */
static void on_stop_signal(int signum)
{
	int saved = errno;

	(void)signum;
	__atomic_store_n(&signalled->is_stopping, true, __ATOMIC_RELAXED);
	eventfd_write(signalled->stop_fd, 1);
	errno = saved;
}

static int signals_take(struct server *srv)
{
	struct sigaction stop = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	srv->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (srv->stop_fd < 0)
		return -errno;
	signalled = srv;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL); /* a client gone is an EPIPE like any other */
	return 0;
}

static void signals_leave(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* Ignored rather than default: a second ^C must not spoil the exit status. */
	sigaction(SIGTERM, &ignore, NULL);
	sigaction(SIGINT, &ignore, NULL);
	signalled = NULL;
}

/* As many descriptors as we may have. Failing is no error: accept will say EMFILE in time. */
static void limits_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Options that accepted sockets inherit, so that they cost nothing per connection. */
static int listener_tune(int fd, long sndbuf_bytes)
{
	int on = 1, size = (int)sndbuf_bytes;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* Tomcat and Netty set it too. Without it the short end of a response that was cut by a
	 * stall waits for the client's delayed ACK, which would be counted as our slowness. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -errno;
	/* The kernel doubles it, and stops tuning it: what the paper's 16 KB buffer does. */
	if (size && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		return -errno;
	return 0;
}

static int listener_bind(const struct addrinfo *info, long sndbuf_bytes, int *ret_fd)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = listener_tune(fd, sndbuf_bytes);
	/* 65 535: the kernel cuts it to net.core.somaxconn. */
	if (!ret && (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, 65535) < 0))
		ret = -errno;
	if (ret)
		close(fd);
	else
		*ret_fd = fd;
	return ret;
}

static int listener_open(struct server *srv)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	const struct settings *s = &srv->settings;
	struct addrinfo *infos, *info;
	char port[16];
	int ret;

	snprintf(port, sizeof(port), "%ld", s->port);
	ret = getaddrinfo(s->host, port, &hints, &infos);
	if (ret) {
		fprintf(stderr, "cannot resolve '%s': %s\n", s->host, gai_strerror(ret));
		return -EADDRNOTAVAIL;
	}
	ret = -EADDRNOTAVAIL;
	for (info = infos; info && ret; info = info->ai_next)
		ret = listener_bind(info, s->sndbuf_bytes, &srv->listen_fd);
	freeaddrinfo(infos);
	if (ret)
		fprintf(stderr, "cannot listen on %s:%ld: %s\n", s->host, s->port, strerror(-ret));
	return ret;
}

int server_open(struct server *srv)
{
	int ret;

	srv->listen_fd = -1;
	srv->stop_fd = -1;
	limits_raise();
	srv->counters = counters_map();
	ret = srv->counters ? signals_take(srv) : -errno;
	if (ret) {
		fprintf(stderr, "cannot start: %s\n", strerror(-ret));
		return ret;
	}
	return listener_open(srv);
}

void server_close(struct server *srv)
{
	signals_leave();
	if (srv->listen_fd >= 0)
		close(srv->listen_fd);
	if (srv->stop_fd >= 0)
		close(srv->stop_fd);
	response_cache_clear(&srv->cache);
	counters_unmap(srv->counters);
	srv->counters = NULL;
	srv->listen_fd = -1;
	srv->stop_fd = -1;
}

void server_announce(const struct server *srv)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	if (getsockname(srv->listen_fd, (struct sockaddr *)&addr, &len) == 0)
		getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	printf(strchr(host, ':') ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
	fflush(stdout);
}

void server_print_stats(const struct server *srv, FILE *out)
{
	fprintf(out, "{\"arch\":\"%s\",", srv->arch->name);
	counters_print(srv->counters, out);
	if (srv->arch->print_stats)
		srv->arch->print_stats(srv, out);
	fprintf(out, "}\n");
}
