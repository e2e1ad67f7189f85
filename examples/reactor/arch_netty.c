/* SPDX-License-Identifier: MIT */
/*
 * NettyServer of the write-spin paper: reactors that own their connections, so that a request
 * never changes threads, and a write loop that is left when a write returns nothing or after
 * --max-writes. What remains is for EPOLLOUT. (Netty goes on by a task of its event loop where it
 * left after the 16th write; a level-triggered EPOLLOUT, which then comes at once, is the same.)
 */
#include "reactors.h"
#include "serve.h"
#include "server.h"

static int netty_serve(struct loop *loop, struct conn *c, uint32_t events)
{
	(void)events;
	return serve_waiting(loop, c, serve_write_bounded);
}

static int netty_run(struct server *srv)
{
	static const struct loop_ops ops = { .events = EPOLLIN, .serve = netty_serve };

	return reactors_run(srv, &ops, NULL);
}

const struct arch arch_netty = {
	.name = "netty",
	.help = "reactors with connections of their own; leave a full socket for EPOLLOUT",
	.threads = 1,
	.run = netty_run,
	.print_stats = reactors_print_stats,
};
