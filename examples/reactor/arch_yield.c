/* SPDX-License-Identifier: MIT */
/*
 * One reactor that does it right: on a stall it keeps the rest, serves the others and goes on
 * when the socket is writable again.
 *
 * A short write counts as a stall at once, without a second write() to see EAGAIN: a non-blocking
 * TCP socket takes less than asked only where its buffer is full, and epoll(7) promises the edge.
 */
#include <errno.h>

#include "serve.h"
#include "server.h"

static int yield_serve_level(struct loop *loop, struct conn *c, uint32_t events)
{
	(void)events;
	return serve_waiting(loop, c, conn_write_once);
}

/* Edge-triggered: registered once; reads and writes go to EAGAIN, or no further edge comes. */
static int yield_serve_edge(struct loop *loop, struct conn *c, uint32_t events)
{
	struct worker *w = &loop->worker;
	int ret;

	if (events & ~EPOLLOUT)
		c->is_readable = true;
	if (c->response) {
		if (events == EPOLLIN)
			return 0; /* not what this connection waits for; remembered above */
		counter_add_relaxed(&w->counters->resumes, 1);
	}
	while (!(ret = serve_answers(w, c, conn_write_once)) && c->is_readable) {
		ret = conn_fill(w, c);
		if (ret == -EAGAIN)
			c->is_readable = false;
		else if (ret)
			return ret;
	}
	return ret == -EAGAIN ? conn_keep_input(c) : ret;
}

static const struct loop_ops level_ops = { .events = EPOLLIN, .serve = yield_serve_level };
static const struct loop_ops edge_ops = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
					  .serve = yield_serve_edge };

static int yield_run(struct server *srv)
{
	return loop_run(srv, srv->settings.is_edge_triggered ? &edge_ops : &level_ops);
}

static void yield_print_stats(const struct server *srv, FILE *out)
{
	fprintf(out, ",\"edge_triggered\":%s", srv->settings.is_edge_triggered ? "true" : "false");
}

const struct arch arch_yield = {
	.name = "yield",
	.help = "one reactor; on a stall keeps the rest and continues on EPOLLOUT",
	.run = yield_run,
	.print_stats = yield_print_stats,
};
