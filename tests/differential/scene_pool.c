/* SPDX-License-Identifier: MIT */
/* Workers that take connections from a queue, spin on what stalls, and hand it back. */
#include <pthread.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define STEP_BYTES 100000

struct queue {
	pthread_mutex_t lock;
	struct crowd crowd;
	struct conn *waiting[MAX_CONNS];
	uint32_t first, count;
};

static struct conn *take(struct queue *q, int *ret_is_over)
{
	struct conn *c = NULL;

	pthread_mutex_lock(&q->lock);
	if (q->count) {
		c = q->waiting[q->first++ % MAX_CONNS];
		q->count--;
	}
	*ret_is_over = crowd_is_over(&q->crowd);
	pthread_mutex_unlock(&q->lock);
	return c;
}

static void give(struct queue *q, struct conn *c)
{
	pthread_mutex_lock(&q->lock);
	q->waiting[(q->first + q->count++) % MAX_CONNS] = c;
	pthread_mutex_unlock(&q->lock);
}

static void finish(struct queue *q, struct conn *c)
{
	conn_end(c, -1);
	pthread_mutex_lock(&q->lock);
	for (uint32_t i = 0; i < q->crowd.count; i++)
		if (q->crowd.open[i] == c)
			crowd_drop(&q->crowd, i);
	pthread_mutex_unlock(&q->lock);
}

/* Fruitless tries before it is handed on: from none to well beyond a spinner's 16. */
static enum step work_on(struct conn *c)
{
	uint32_t tries = chance_range(chance(c->plan->draw, c->pos), 1, 60);
	enum step step;

	do
		step = conn_step(c, STEP_BYTES, 0);
	while (step == STEP_OUT && --tries && !conn_is_stuck(c));
	return step;
}

static void *work(void *argument)
{
	struct queue *q = argument;
	int is_over = 0;

	while (!is_over) {
		struct conn *c = take(q, &is_over);
		enum step step;

		if (!c) {
			sleep_us(300);
			continue;
		}
		step = work_on(c);
		if (step == STEP_DONE || conn_is_stuck(c)) {
			finish(q, c);
			continue;
		}
		give(q, c);
		if (step == STEP_IN)
			sleep_us(200);
	}
	call_thread_end();
	return NULL;
}

static int open_more(struct queue *q)
{
	struct conn *c;
	int is_over;

	do {
		pthread_mutex_lock(&q->lock);
		c = crowd_more(&q->crowd);
		is_over = crowd_is_over(&q->crowd);
		pthread_mutex_unlock(&q->lock);
		if (c)
			give(q, c);
	} while (c);
	return is_over;
}

void scene_pool(const struct scene_plan *s)
{
	struct queue q = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[8];

	crowd_begin(&q.crowd, s, 1);
	for (uint32_t n = 0; n < s->threads; n++)
		scene_thread(&threads[n], work, &q);
	while (!open_more(&q))
		sleep_us(1000);
	for (uint32_t n = 0; n < s->threads; n++)
		pthread_join(threads[n], NULL);
	crowd_end(&q.crowd);
}
