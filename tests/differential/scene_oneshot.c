/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads on one epoll set. EPOLLONESHOT gives a connection to one thread at a time; its
 * lock covers from the event to the re-arming, so that giving up (by the scene's own thread) and
 * late events of closed connections cannot meet a descriptor that is somebody else's by now.
 */
#include <pthread.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define LISTENER   1000u
#define STEP_BYTES 200000
#define WAIT_MS	   10

struct pool {
	struct crowd crowd;
	pthread_mutex_t crowd_lock, lock[MAX_CONNS];
	uint8_t has_ended[MAX_CONNS];
	int epfd;
	_Atomic uint32_t is_over;
	_Atomic uint64_t at;
};

static void arm(struct pool *pool, struct conn *c, int op)
{
	struct epoll_event e = { .events = conn_wants(c) | EPOLLONESHOT, .data.u32 = c->plan->id };

	if (c->plan->draw & 64)
		e.events |= EPOLLET;
	MUST(epoll_ctl(pool->epfd, op, c->fd, &e) == 0);
}

static void finish(struct pool *pool, struct conn *c)
{
	pool->has_ended[c->plan->id] = 1;
	conn_end(c, pool->epfd);
	pthread_mutex_lock(&pool->crowd_lock);
	for (uint32_t i = 0; i < pool->crowd.count; i++)
		if (pool->crowd.open[i] == c)
			crowd_drop(&pool->crowd, i);
	pthread_mutex_unlock(&pool->crowd_lock);
}

static void open_more(struct pool *pool)
{
	struct conn *c;

	do {
		pthread_mutex_lock(&pool->crowd_lock);
		c = crowd_more(&pool->crowd);
		pthread_mutex_unlock(&pool->crowd_lock);
		if (c) {
			pthread_mutex_lock(&pool->lock[c->plan->id]);
			if (!pool->has_ended[c->plan->id])
				arm(pool, c, EPOLL_CTL_ADD);
			pthread_mutex_unlock(&pool->lock[c->plan->id]);
		}
	} while (c);
}

static void handle(struct pool *pool, uint32_t id)
{
	struct conn *c = &conns[id];
	enum step step = STEP_MORE;

	pthread_mutex_lock(&pool->lock[id]);
	if (!pool->has_ended[id]) {
		/* A level event is asked for once more after each step, an edge is used up. */
		do
			step = conn_step(c, STEP_BYTES, 0);
		while (step == STEP_MORE && c->plan->draw & 64);
		if (step == STEP_DONE)
			finish(pool, c);
		else
			arm(pool, c, EPOLL_CTL_MOD);
	}
	pthread_mutex_unlock(&pool->lock[id]);
}

static void *work(void *argument)
{
	struct pool *pool = argument;
	struct epoll_event events[3];

	while (!pool->is_over) {
		int n = call_epoll(pool->epfd, events, 3, WAIT_MS, chance(pool->at++, 1));

		for (int i = 0; i < n; i++)
			if (events[i].data.u32 == LISTENER)
				open_more(pool);
			else
				handle(pool, events[i].data.u32);
	}
	call_thread_end();
	return NULL;
}

static struct conn *find_stuck(struct pool *pool)
{
	struct conn *found = NULL;

	pthread_mutex_lock(&pool->crowd_lock);
	for (uint32_t i = 0; i < pool->crowd.count; i++)
		if (conn_is_stuck(pool->crowd.open[i]))
			found = pool->crowd.open[i];
	pthread_mutex_unlock(&pool->crowd_lock);
	return found;
}

static void oversee(struct pool *pool)
{
	int is_over = 0;

	while (!is_over) {
		struct conn *c;

		open_more(pool);
		sleep_us(3000);
		c = find_stuck(pool);
		if (c) {
			pthread_mutex_lock(&pool->lock[c->plan->id]);
			if (!pool->has_ended[c->plan->id] && conn_is_stuck(c))
				finish(pool, c);
			pthread_mutex_unlock(&pool->lock[c->plan->id]);
		}
		pthread_mutex_lock(&pool->crowd_lock);
		is_over = crowd_is_over(&pool->crowd);
		pthread_mutex_unlock(&pool->crowd_lock);
	}
}

void scene_oneshot(const struct scene_plan *s)
{
	struct epoll_event e = { EPOLLIN | (s->draw & 2 ? EPOLLEXCLUSIVE : 0),
				 { .u32 = LISTENER } };
	struct pool pool = { .epfd = epoll_create1(EPOLL_CLOEXEC),
			     .at = s->draw,
			     .crowd_lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[8];

	MUST(pool.epfd >= 0);
	for (uint32_t n = 0; n < MAX_CONNS; n++)
		pthread_mutex_init(&pool.lock[n], NULL);
	crowd_begin(&pool.crowd, s, 1);
	MUST(epoll_ctl(pool.epfd, EPOLL_CTL_ADD, pool.crowd.listener, &e) == 0);
	for (uint32_t n = 0; n < s->threads; n++)
		scene_thread(&threads[n], work, &pool);
	oversee(&pool);
	pool.is_over = 1;
	for (uint32_t n = 0; n < s->threads; n++)
		pthread_join(threads[n], NULL);
	crowd_end(&pool.crowd);
	call_close(pool.epfd, s->draw >> 3);
}
