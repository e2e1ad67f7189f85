/* SPDX-License-Identifier: MIT */
/*
 * A thread per connection: blocking, with timeouts where the peer may vanish, some switching
 * O_NONBLOCK on the way. Threads end by returning, by pthread_exit, or cancelled where it is safe.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define STEP_BYTES 50000
#define TIMEOUT_US 40000

enum way_out { BY_RETURN, BY_EXIT, BY_CANCEL, WAYS_OUT };

static void set_timeouts(struct conn *c)
{
	struct timeval t = { 0, TIMEOUT_US };

	if (c->plan->kind == KIND_PIPE) { /* has none */
		conn_set_nonblocking(c, 1);
		return;
	}
	MUST(setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) == 0);
	MUST(setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0);
	c->has_timeout = 1;
}

static void await(struct conn *c)
{
	struct pollfd p = { c->fd, (short)conn_wants(c), 0 };

	call_poll(&p, 1, 20, c->pos);
}

static void serve(struct conn *c)
{
	int toggles = c->plan->draw & 128 && c->plan->peer_end != END_VANISHES;
	uint64_t at = c->plan->draw;
	enum step step;

	if (c->plan->peer_end == END_VANISHES)
		set_timeouts(c);
	for (;;) {
		if (toggles && chance_below(chance_next(&at), 3) == 0)
			conn_set_nonblocking(c, !c->is_nonblocking);
		step = conn_step(c, STEP_BYTES, 0);
		if (step == STEP_DONE || conn_is_stuck(c))
			break;
		if (c->is_nonblocking && step != STEP_MORE)
			await(c);
	}
	conn_end(c, -1);
}

static void *serve_main(void *argument)
{
	struct conn *c = argument;
	int way = (int)chance_below(c->plan->draw, WAYS_OUT);

	/* Writes are cancellation points, and glibc may lose their count: natively too. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	serve(c);
	call_thread_end();
	if (way == BY_EXIT)
		pthread_exit(NULL);
	if (way == BY_CANCEL) {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		for (;;)
			pause();
	}
	return NULL;
}

struct worker {
	pthread_t thread;
	struct conn *conn;
};

/* Joins those whose connection has ended: threads come and go all the time. */
static void reap(struct crowd *crowd, struct worker *workers)
{
	for (uint32_t i = crowd->count; i-- > 0;) {
		struct conn *c = crowd->open[i];
		struct worker *w = &workers[c->plan->id];

		if (c->side->state != HOST_ENDED)
			continue;
		if (chance_below(c->plan->draw, WAYS_OUT) == BY_CANCEL)
			pthread_cancel(w->thread);
		pthread_join(w->thread, NULL);
		crowd_drop(crowd, i);
	}
}

void scene_block(const struct scene_plan *s)
{
	struct worker workers[MAX_CONNS];
	struct crowd crowd;
	struct conn *c;

	crowd_begin(&crowd, s, 0);
	while (!crowd_is_over(&crowd)) {
		struct pollfd p = { crowd.listener, POLLIN, 0 };

		/* The listener blocks: accept only when somebody is there. */
		if (!crowd.to_accept || call_poll(&p, 1, 2, s->draw + crowd.count) == 1 ||
		    crowd.next < s->first + s->count) {
			int may_block = crowd.next >= s->first + s->count && !(p.revents & POLLIN);

			c = may_block ? NULL : crowd_more(&crowd);
			if (c)
				scene_thread(&workers[c->plan->id].thread, serve_main, c);
		}
		reap(&crowd, workers);
		sleep_us(300);
	}
	crowd_end(&crowd);
}
