/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Beyond the RTT; the first SYN is sent again after one second, a lab that needs that is broken. */
#define PATIENCE_MS 900

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static int open_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		lab_fail("socket: %s", strerror(errno));
	return fd;
}

static int listen_any(struct sockaddr_in *ret_address)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = open_tcp();

	inet_pton(AF_INET, LAB_SERVER_ADDR, &address.sin_addr);
	if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		lab_fail("cannot listen on the server: %s", strerror(errno));
	*ret_address = address;
	return fd;
}

static void await(int fd, short events, const char *what, long rtt_us)
{
	struct pollfd entry = { .fd = fd, .events = events };

	if (poll(&entry, 1, (int)(rtt_us / 1000) + PATIENCE_MS) != 1 || entry.revents & POLLERR)
		lab_fail("no %s between the hosts", what);
}

static void check_cc(int fd, const char *wanted, const char *host)
{
	char found[16] = "";
	socklen_t size = sizeof(found) - 1;

	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, found, &size))
		lab_fail("TCP_CONGESTION: %s", strerror(errno));
	if (strcmp(found, wanted))
		lab_fail("congestion control %s cannot be had, a socket of the %s has %s", wanted,
			 host, found);
}

/* A reset instead of a FIN: no TIME_WAIT in the namespaces of the run to come. */
static void drop(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void check_connection(const struct net *net, const struct lab_options *options)
{
	struct sockaddr_in address;
	int listener = listen_any(&address);
	int client, server;
	long taken_us;

	net_enter(net->client_fd);
	client = open_tcp();
	taken_us = now_us();
	if (connect(client, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS)
		lab_fail("connect: %s", strerror(errno));
	await(client, POLLOUT, "connection", options->rtt_us);
	taken_us = now_us() - taken_us;
	net_enter(net->server_fd);
	await(listener, POLLIN, "handshake", options->rtt_us);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		lab_fail("accept: %s", strerror(errno));

	check_cc(server, options->cc, "server");
	check_cc(client, options->cc, "client");
	if (taken_us < options->rtt_us)
		lab_fail("a connection took %ld us, less than a round trip", taken_us);
	drop(server);
	drop(client);
	close(listener);
}
