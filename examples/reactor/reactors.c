/* SPDX-License-Identifier: MIT */
#include "reactors.h"

#include <errno.h>
#include <stdlib.h>

#include "pin.h"
#include "server.h"

struct reactor {
	struct loop *loop;
	pthread_t id;
	bool is_started;
	int ret; /* of its loop; read after the join */
};

struct reactors {
	struct server *server;
	struct loop_ops ops; /* of the reactors */
	void *context;
	long size, next; /* next: who gets the next connection */
	struct reactor each[];
};

static int reactors_assign(struct loop *boss, struct conn *c)
{
	struct reactors *r = boss->context;

	loop_post(r->each[r->next].loop, &boss->worker, c);
	r->next = (r->next + 1) % r->size;
	return 0;
}

static void reactor_adopt(struct loop *loop, struct conn *c)
{
	if (loop_watch(loop, c) < 0)
		conn_close(&loop->worker, c);
}

static void *reactor_main(void *arg)
{
	struct reactor *self = arg;
	struct server *srv = self->loop->worker.server;
	struct reactors *r = srv->context;

	pin_thread(srv, self - r->each + 1);
	self->ret = loop_serve(self->loop);
	server_stop(srv); /* where it failed, for the others */
	return NULL;
}

static int reactor_start(struct reactors *r, struct reactor *self)
{
	int ret = loop_new(r->server, &r->ops, r->context, &self->loop);

	if (ret)
		return ret;
	ret = -pthread_create(&self->id, NULL, reactor_main, self);
	self->is_started = !ret;
	return ret;
}

/* Join all, then free all: until the last one has ended, each may be posted to. The first error
 * of theirs, or 0. */
static int reactors_stop(struct reactors *r)
{
	int ret = 0;

	for (long i = 0; i < r->size; i++) {
		if (r->each[i].is_started)
			pthread_join(r->each[i].id, NULL);
		if (!ret)
			ret = r->each[i].ret;
	}
	r->server->context = NULL;
	for (long i = 0; i < r->size; i++)
		loop_free(r->each[i].loop);
	free(r);
	return ret;
}

static int reactors_serve(struct reactors *r, struct loop *boss)
{
	int ret = 0;

	for (long i = 0; i < r->size && !ret; i++)
		ret = reactor_start(r, &r->each[i]);
	if (!ret)
		ret = loop_listen(boss, r->server->settings.max_conns);
	return ret ? ret : loop_serve(boss);
}

static struct reactors *reactors_new(struct server *srv, const struct loop_ops *ops, void *context)
{
	long size = srv->settings.threads;
	struct reactors *r = calloc(1, sizeof(*r) + (size_t)size * sizeof(*r->each));

	if (!r)
		return NULL;
	r->server = srv;
	r->ops = *ops;
	r->ops.posted = reactor_adopt;
	r->context = context;
	r->size = size;
	return r;
}

int reactors_run(struct server *srv, const struct loop_ops *ops, void *context)
{
	static const struct loop_ops boss_ops = { .accepted = reactors_assign };
	struct reactors *r = reactors_new(srv, ops, context);
	struct loop *boss = NULL;
	int ret, of_reactors;

	if (!r)
		return -ENOMEM;
	srv->context = r;
	ret = loop_new(srv, &boss_ops, r, &boss);
	if (!ret)
		ret = reactors_serve(r, boss);
	server_stop(srv);
	of_reactors = reactors_stop(r);
	loop_free(boss);
	return ret ? ret : of_reactors;
}

void *reactors_context(const struct server *srv)
{
	const struct reactors *r = srv->context;

	return r->context;
}

void reactors_print_stats(const struct server *srv, FILE *out)
{
	const struct reactors *r = srv->context;

	fprintf(out, ",\"reactors\":%ld,\"connections_per_reactor\":[", r->size);
	for (long i = 0; i < r->size; i++)
		fprintf(out, "%s%ld", i ? "," : "", loop_watched(r->each[i].loop));
	fputc(']', out);
}
