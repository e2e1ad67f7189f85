/* SPDX-License-Identifier: MIT */
/*
 * WatPipe of the comparison of web servers: four stages, the first three of one thread each.
 *
 *	1 accept ─> 2 wait for input, read, parse ─> 3 wait for room ─> 4 --threads writers
 *	            ^                                ^  a batch at a time         │  │
 *	            │                                └── stalled: for more room ──┘  │
 *	            └──────────────────────────────────── response out ──────────────┘
 *
 * Stages 3 and 4 take turns, as in the paper: 3 waits until 4 is through with a batch. There are
 * no controllers; that is the difference to SEDA. WatPipe waits by select() and merges sets of
 * descriptors; here the sets are the kernel's (epoll), because select() ends at 1024, and what is
 * merged are mailboxes.
 *
 * A connection has one owner: stage 2 has it in its list, and disarmed by EPOLLONESHOT while it is
 * further down; only stage 2 closes.
 */
#include <errno.h>
#include <pthread.h>

#include "pin.h"
#include "pool.h"
#include "room.h"
#include "serve.h"
#include "server.h"

struct pipeline {
	struct loop *reader; /* stage 2 */
	struct room *room;   /* stage 3 */
	struct pool writers; /* stage 4 */
	pthread_t reader_id, room_id;
	bool has_reader, has_room; /* threads, to be joined */
	int reader_ret, room_ret;
};

static int pipeline_accepted(struct loop *acceptor, struct conn *c)
{
	struct pipeline *p = acceptor->context;

	loop_post(p->reader, &acceptor->worker, c);
	return 0;
}

/* Stage 2: from the input at hand to a response, and off to stage 3; or wait for more input. */
static int pipeline_parse(struct loop *loop, struct conn *c)
{
	struct pipeline *p = loop->context;
	int ret = conn_next(&loop->worker, c);

	if (ret < 0)
		return ret;
	if (!ret)
		return loop_rearm(loop, c);
	ret = conn_keep_input(c);
	if (!ret)
		room_post(p->room, c);
	return ret;
}

static int pipeline_read(struct loop *loop, struct conn *c, uint32_t events)
{
	int ret = conn_fill(&loop->worker, c);

	(void)events;
	if (ret == -EAGAIN)
		return loop_rearm(loop, c);
	return ret ? ret : pipeline_parse(loop, c);
}

/* New from stage 1, or back from stage 4. */
static void pipeline_posted(struct loop *loop, struct conn *c)
{
	if (!c->link) {
		if (loop_watch(loop, c) < 0)
			conn_close(&loop->worker, c);
	} else if (c->is_over || pipeline_parse(loop, c) < 0) {
		loop_drop(loop, c);
	}
}

/* Stage 4: one write, whatever it takes. */
static void pipeline_write(struct pool *pool, struct worker *w, struct conn *c)
{
	struct pipeline *p = pool->context;
	int ret;

	if (c->out != c->response->bytes)
		counter_add_relaxed(&w->counters->resumes, 1);
	ret = conn_write_once(w, c);
	if (ret == -EAGAIN) {
		room_return(p->room, c);
		return;
	}
	c->is_over = ret < 0;
	loop_post(p->reader, w, c);
	room_return(p->room, NULL);
}

/* Stage 3 to 4: called in its thread for each connection of a batch. */
static void pipeline_ready(struct room *room, struct worker *w, struct conn *c)
{
	struct pipeline *p = room_context(room);

	pool_submit(&p->writers, w, c);
}

static void *pipeline_reader_main(void *arg)
{
	struct pipeline *p = arg;
	struct server *srv = p->reader->worker.server;

	pin_thread(srv, 1);
	p->reader_ret = loop_serve(p->reader);
	server_stop(srv); /* where it failed, for the others */
	return NULL;
}

static void *pipeline_room_main(void *arg)
{
	struct pipeline *p = arg;
	struct server *srv = p->reader->worker.server;

	pin_thread(srv, 2);
	p->room_ret = room_serve(p->room);
	server_stop(srv);
	return NULL;
}

static int pipeline_start(struct pipeline *p, struct server *srv)
{
	int ret = 0;

	for (long i = 0; i < srv->settings.threads && !ret; i++)
		ret = pool_grow(&p->writers);
	if (!ret) {
		ret = -pthread_create(&p->reader_id, NULL, pipeline_reader_main, p);
		p->has_reader = !ret;
	}
	if (!ret) {
		ret = -pthread_create(&p->room_id, NULL, pipeline_room_main, p);
		p->has_room = !ret;
	}
	return ret;
}

/* Threads first, all of them: until the last has ended, each may be handed connections. */
static int pipeline_stop(struct pipeline *p, struct server *srv)
{
	server_stop(srv);
	if (p->has_room)
		pthread_join(p->room_id, NULL);
	if (p->has_reader)
		pthread_join(p->reader_id, NULL);
	pool_stop(&p->writers);
	srv->context = NULL;
	loop_free(p->reader);
	room_free(p->room);
	return p->reader_ret ? p->reader_ret : p->room_ret;
}

static int pipeline_serve(struct pipeline *p, struct server *srv)
{
	static const struct loop_ops acceptor_ops = { .accepted = pipeline_accepted };
	struct loop *acceptor;
	int ret = loop_new(srv, &acceptor_ops, p, &acceptor);
	int of_threads;

	if (ret)
		return ret;
	ret = pipeline_start(p, srv);
	if (!ret)
		ret = loop_listen(acceptor, srv->settings.max_conns);
	if (!ret)
		ret = loop_serve(acceptor);
	of_threads = pipeline_stop(p, srv);
	loop_free(acceptor);
	return ret ? ret : of_threads;
}

static int pipeline_run(struct server *srv)
{
	static const struct loop_ops reader_ops = { .events = EPOLLIN | EPOLLONESHOT,
						    .serve = pipeline_read,
						    .posted = pipeline_posted };
	struct pipeline p = { 0 };
	int ret = loop_new(srv, &reader_ops, &p, &p.reader);

	if (ret)
		return ret;
	ret = room_new(srv, pipeline_ready, &p, &p.room);
	if (ret) {
		loop_free(p.reader);
		return ret;
	}
	pool_init(&p.writers, srv, pipeline_write, &p);
	srv->context = &p;
	return pipeline_serve(&p, srv);
}

static void pipeline_print_stats(const struct server *srv, FILE *out)
{
	const struct pipeline *p = srv->context;

	fprintf(out, ",\"writers\":%ld,\"send\":\"%s\",\"connections\":%ld", pool_size(&p->writers),
		server_send_name(srv), loop_watched(p->reader));
	room_print(p->room, out);
}

const struct arch arch_pipeline = {
	.name = "pipeline",
	.help = "four stages: accept, read, wait for room, threads that write",
	.threads = 25,
	.sends = "copy sendfile",
	.run = pipeline_run,
	.print_stats = pipeline_print_stats,
};
