/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include "loop.h"
#include "server.h"

struct dispatch {
	struct loop *loop;
	struct pool pool;
	dispatch_work *work;
};

static int dispatch_serve(struct loop *loop, struct conn *c, uint32_t events)
{
	struct dispatch *d = loop->context;

	(void)events; /* whatever it is, the thread's read() or write() will tell */
	pool_submit(&d->pool, &loop->worker, c);
	return 0;
}

/* A thread has done its turn: close c, or dispatch the write, or wait for the next request. */
static void dispatch_posted(struct loop *loop, struct conn *c)
{
	struct dispatch *d = loop->context;

	if (c->is_over)
		loop_drop(loop, c);
	else if (c->response)
		pool_submit(&d->pool, &loop->worker, c);
	else if (loop_rearm(loop, c) < 0)
		loop_drop(loop, c);
}

static void dispatch_turn(struct pool *pool, struct worker *w, struct conn *c)
{
	struct dispatch *d = pool->context;

	c->is_over = d->work(w, c) < 0;
	loop_post(d->loop, w, c);
}

static int dispatch_start(struct dispatch *d, struct server *srv)
{
	int ret = 0;

	for (long i = 0; i < srv->settings.threads && !ret; i++)
		ret = pool_grow(&d->pool);
	return ret ? ret : loop_listen(d->loop, srv->settings.max_conns);
}

int dispatch_run(struct server *srv, dispatch_work *work)
{
	static const struct loop_ops ops = { .events = EPOLLIN | EPOLLONESHOT,
					     .serve = dispatch_serve,
					     .posted = dispatch_posted };
	struct dispatch d = { .work = work };
	int ret = loop_new(srv, &ops, &d, &d.loop);

	if (ret)
		return ret;
	pool_init(&d.pool, srv, dispatch_turn, &d);
	srv->context = &d;
	ret = dispatch_start(&d, srv);
	if (!ret)
		ret = loop_serve(d.loop);
	server_stop(srv); /* for threads that spin, where the loop failed */
	pool_stop(&d.pool);
	srv->context = NULL;
	loop_free(d.loop);
	return ret;
}

void dispatch_print_stats(const struct server *srv, FILE *out)
{
	const struct dispatch *d = srv->context;

	fprintf(out, ",\"threads\":%ld", pool_size(&d->pool));
}
