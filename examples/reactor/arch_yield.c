/* SPDX-License-Identifier: MIT */
/*
 * One reactor that does it right: on a stall it keeps the rest, serves the others and goes on
 * when the socket is writable again. While a rest is kept it reads nothing more from that client,
 * so one that pipelines without reading is held back by TCP instead of by our memory.
 *
 * A short write counts as a stall at once, without a second write() to see EAGAIN: a non-blocking
 * TCP socket takes less than asked only where its buffer is full, and epoll(7) promises the edge.
 */
#include <errno.h>

#include "loop.h"
#include "server.h"

/* Write all that the input at hand asks for. 0: read on; -EAGAIN: a rest is kept. */
static int yield_answer(struct worker *w, struct conn *c)
{
	int ret;

	do {
		ret = c->response ? conn_write_once(w, c) : 0;
	} while (!ret && (ret = conn_next(w, c)) > 0);
	return ret;
}

/* Level-triggered: EPOLLIN or EPOLLOUT, never both, so each event can be used. */
static int yield_serve_level(struct loop *loop, struct conn *c, uint32_t events)
{
	struct worker *w = &loop->worker;
	int ret = 0;

	(void)events;
	if (c->response)
		counter_add_relaxed(&w->counters->resumes, 1);
	else
		ret = conn_fill(w, c);
	if (!ret)
		ret = yield_answer(w, c);
	else if (ret == -EAGAIN)
		return 0;
	if (ret == -EAGAIN) {
		ret = conn_keep_input(c);
		return ret ? ret : loop_arm(loop, c, EPOLLOUT);
	}
	return ret ? ret : loop_arm(loop, c, EPOLLIN);
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
	while (!(ret = yield_answer(w, c)) && c->is_readable) {
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
