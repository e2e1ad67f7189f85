/* SPDX-License-Identifier: MIT */
/*
 * SEDA: a reactor that waits and owns the connections, and three stages with queues of their own.
 *
 *	        ┌────────────── no request yet ───────────────┐
 *	reactor ─> parse (read, parse) ─> work (make the answer) ─> send (one write) ─> reactor
 *	                                                             stalled: wait for room, send
 *again
 *
 * Every queue is bounded by --queue, and what does not fit is shed where it costs least: before
 * the parse and before the work a client gets a 503, before the send its connection is closed. A
 * response that has been begun is never shed. A controller thread looks at each stage every
 * 100 ms. The reactor's waiting is no stage of its own; in the paper's server it is one, with one
 * thread, because Java had no epoll.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "control.h"
#include "serve.h"
#include "server.h"
#include "stage.h"

struct seda {
	struct loop *loop;
	struct stage *parse, *work, *send;
	pthread_t controller_id;
	bool has_controller;
};

/* Hand c back to the reactor; over: to be closed. */
static void seda_return(struct seda *s, struct worker *w, struct conn *c, bool is_over)
{
	c->is_over = is_over;
	loop_post(s->loop, w, c);
}

static void seda_send_first(struct seda *s, struct worker *w, struct conn *c)
{
	if (stage_put(s->send, w, c) < 0)
		seda_return(s, w, c, true);
}

/* 1: there is a request; 0: there is none yet; negative: over. */
static int seda_read(struct worker *w, struct conn *c)
{
	int ret = c->input_bytes ? 0 : conn_fill(w, c);

	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	ret = conn_parse(w, c);
	if (ret > 0 && conn_keep_input(c) < 0)
		return -ENOMEM;
	return ret;
}

static void seda_parse(struct worker *w, struct conn *c, void *context)
{
	struct seda *s = context;
	int ret = seda_read(w, c);

	if (ret <= 0)
		seda_return(s, w, c, ret < 0);
	else if (stage_put(s->work, w, c) == 0)
		return;
	else if (conn_refuse(w, c) == 0)
		seda_send_first(s, w, c);
	else
		seda_return(s, w, c, true);
}

static void seda_work(struct worker *w, struct conn *c, void *context)
{
	struct seda *s = context;

	if (conn_answer(w, c) < 0)
		seda_return(s, w, c, true);
	else
		seda_send_first(s, w, c);
}

static void seda_send(struct worker *w, struct conn *c, void *context)
{
	struct seda *s = context;
	int ret = conn_write_once(w, c);

	seda_return(s, w, c, ret < 0 && ret != -EAGAIN);
}

/* A client nobody has time for: a 503 unread, as one write that fits into any fresh buffer. */
static int seda_shed(struct loop *loop, struct conn *c)
{
	struct worker *w = &loop->worker;
	int ret;

	counter_add_relaxed(&w->counters->requests, 1); /* or there were more answers than those */
	ret = conn_refuse(w, c);
	if (!ret)
		ret = conn_write_once(w, c);
	return ret ? ret : loop_rearm(loop, c);
}

/* Input is there. One that has been answered for the last time is no work for a stage. */
static int seda_parse_next(struct loop *loop, struct conn *c)
{
	struct seda *s = loop->context;
	int ret;

	if (c->is_lingering) {
		ret = c->input_bytes ? 0 : conn_fill(&loop->worker, c);
		if (!ret || ret == -EAGAIN)
			ret = conn_parse(&loop->worker, c); /* throws it away */
		return ret < 0 ? ret : loop_rearm(loop, c);
	}
	return stage_put(s->parse, &loop->worker, c) == 0 ? 0 : seda_shed(loop, c);
}

static int seda_serve(struct loop *loop, struct conn *c, uint32_t events)
{
	struct seda *s = loop->context;

	(void)events;
	if (!c->response)
		return seda_parse_next(loop, c);
	counter_add_relaxed(&loop->worker.counters->resumes, 1);
	stage_put_again(s->send, &loop->worker, c);
	return 0;
}

/* Back from a stage: what is it to wait for? */
static int seda_continue(struct loop *loop, struct conn *c)
{
	if (c->is_over || c->is_done)
		return -ESHUTDOWN;
	if (c->response)
		return loop_rearm_for(loop, c, EPOLLOUT | EPOLLONESHOT);
	if (c->input_bytes)
		return seda_parse_next(loop, c);
	return loop_rearm(loop, c);
}

static void seda_posted(struct loop *loop, struct conn *c)
{
	if (seda_continue(loop, c) < 0)
		loop_drop(loop, c);
}

static int64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void *seda_controller_main(void *arg)
{
	struct seda *s = arg;
	const struct server *srv = s->loop->worker.server;
	struct pollfd stop = { .fd = srv->stop_fd, .events = POLLIN };

	while (!server_is_stopping(srv)) {
		poll(&stop, 1, CONTROL_PERIOD_NS / 1000000);
		stage_control(s->parse, clock_now_ns());
		stage_control(s->work, clock_now_ns());
		stage_control(s->send, clock_now_ns());
	}
	return NULL;
}

static int seda_stage(struct seda *s, struct server *srv, const char *name, stage_handle *handle,
		      struct stage **ret_stage)
{
	const struct stage_plan plan = { .name = name,
					 .handle = handle,
					 .context = s,
					 .threads_max = srv->settings.threads,
					 .queue_max = srv->settings.queue };

	return stage_new(srv, &plan, ret_stage);
}

static int seda_start(struct seda *s, struct server *srv)
{
	int ret = seda_stage(s, srv, "parse", seda_parse, &s->parse);

	if (!ret)
		ret = seda_stage(s, srv, "work", seda_work, &s->work);
	if (!ret)
		ret = seda_stage(s, srv, "send", seda_send, &s->send);
	if (ret)
		return ret;
	srv->context = s;
	ret = -pthread_create(&s->controller_id, NULL, seda_controller_main, s);
	s->has_controller = !ret;
	return ret ? ret : loop_listen(s->loop, srv->settings.max_conns);
}

/* All threads first: one of a stage may still put into the next. */
static void seda_stop(struct seda *s, struct server *srv)
{
	struct stage *stages[] = { s->parse, s->work, s->send };

	server_stop(srv);
	if (s->has_controller)
		pthread_join(s->controller_id, NULL);
	for (int i = 0; i < 3; i++)
		stage_stop(stages[i]);
	srv->context = NULL;
	for (int i = 0; i < 3; i++)
		stage_free(stages[i]);
}

static int seda_run(struct server *srv)
{
	static const struct loop_ops ops = { .events = EPOLLIN | EPOLLONESHOT,
					     .serve = seda_serve,
					     .posted = seda_posted };
	struct seda s = { 0 };
	int ret = loop_new(srv, &ops, &s, &s.loop);

	if (ret)
		return ret;
	ret = seda_start(&s, srv);
	if (!ret)
		ret = loop_serve(s.loop);
	seda_stop(&s, srv);
	loop_free(s.loop);
	return ret;
}

static void seda_print_stats(const struct server *srv, FILE *out)
{
	const struct seda *s = srv->context;

	fprintf(out, ",\"stages\":[");
	stage_print(s->parse, out);
	fputc(',', out);
	stage_print(s->work, out);
	fputc(',', out);
	stage_print(s->send, out);
	fputc(']', out);
}

const struct arch arch_seda = {
	.name = "seda",
	.help = "stages with bounded queues, controlled threads and batches; sheds load",
	.threads = 16,
	.run = seda_run,
	.print_stats = seda_print_stats,
};
