/* SPDX-License-Identifier: MIT */
/*
 * The µserver of the comparison of web servers, as SYMPED: copies of a single-threaded reactor
 * that all accept from one listener. The paper runs several per processor, so that one goes on
 * while another waits for the disk; it is the herd at the listener, woken for one client, that is
 * left as it was, and that --arch yield --copies, each with a queue of its own, has not.
 *
 * --blocking is its userver-b: reads wait for events, as ever, but a response is written at one
 * go, and a slow client stops one copy of many. --shared-cache is shared-SYMPED, see cache.h.
 */
#include <errno.h>
#include <sys/socket.h>

#include "serve.h"
#include "server.h"

/* How long a write() may block before it looks whether the server is to end. */
#define SYMPED_LOOK_MS 250

static int symped_serve_waiting(struct loop *loop, struct conn *c, uint32_t events)
{
	(void)events;
	return serve_waiting(loop, c, conn_write_once);
}

static int symped_serve_blocking(struct loop *loop, struct conn *c, uint32_t events)
{
	(void)events;
	return serve_spinning(&loop->worker, c);
}

/* Accepted sockets inherit it. A signal alone would be missed where it comes just before the
 * write(). The time-out is seen as a short write or EAGAIN, which is gone on with at once. */
static int symped_limit_writes(const struct server *srv)
{
	const struct timeval limit = { .tv_usec = SYMPED_LOOK_MS * 1000 };

	return setsockopt(srv->listen_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0
		       ? -errno
		       : 0;
}

static int symped_run(struct server *srv)
{
	static const struct loop_ops waiting = { .events = EPOLLIN, .serve = symped_serve_waiting };
	static const struct loop_ops blocking = { .events = EPOLLIN,
						  .is_blocking = true,
						  .serve = symped_serve_blocking };
	int ret;

	if (!srv->settings.is_blocking)
		return loop_run(srv, &waiting);
	ret = symped_limit_writes(srv);
	return ret ? ret : loop_run(srv, &blocking);
}

static void symped_print_stats(const struct server *srv, FILE *out)
{
	fprintf(out, ",\"blocking\":%s,\"send\":\"%s\"",
		srv->settings.is_blocking ? "true" : "false", server_send_name(srv));
}

const struct arch arch_symped = {
	.name = "symped",
	.help = "copies of a yielding reactor that accept from one listener",
	.copies = 4,
	.sends = "copy sendfile",
	.shares_listener = true,
	.run = symped_run,
	.print_stats = symped_print_stats,
};
