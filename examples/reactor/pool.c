/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>

#include "pin.h"
#include "server.h"

struct pool_thread {
	struct pool_thread *next;
	struct pool *pool;
	pthread_t id;
	long index;
	struct worker worker;
};

void pool_init(struct pool *pool, struct server *srv, pool_serve *serve, void *context)
{
	*pool = (struct pool){ .server = srv, .serve = serve, .context = context };
	queue_init(&pool->queue);
}

static void *pool_thread_main(void *arg)
{
	struct pool_thread *t = arg;
	struct conn *c;

	pin_thread(t->worker.server, t->index + 1);
	while ((c = queue_take(&t->pool->queue)))
		t->pool->serve(t->pool, &t->worker, c);
	return NULL;
}

static int pool_thread_start(struct pool_thread *t)
{
	pthread_attr_t attr;
	int ret = pthread_attr_init(&attr);

	if (ret)
		return -ret;
	pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
	ret = pthread_create(&t->id, &attr, pool_thread_main, t);
	pthread_attr_destroy(&attr);
	return -ret;
}

int pool_grow(struct pool *pool)
{
	struct pool_thread *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->pool = pool;
	t->index = pool->size;
	ret = worker_init(&t->worker, pool->server);
	if (!ret)
		ret = pool_thread_start(t);
	if (ret) {
		worker_clear(&t->worker);
		free(t);
		return ret;
	}
	t->next = pool->threads;
	pool->threads = t;
	__atomic_store_n(&pool->size, pool->size + 1, __ATOMIC_RELAXED);
	return 0;
}

long pool_size(const struct pool *pool)
{
	return __atomic_load_n(&pool->size, __ATOMIC_RELAXED);
}

void pool_submit(struct pool *pool, struct worker *w, struct conn *c)
{
	long length = queue_put(&pool->queue, c);

	counter_add_relaxed(&w->counters->dispatches, 1);
	counter_raise_relaxed(&w->counters->queue_length_max, (unsigned long)length);
}

void pool_stop(struct pool *pool)
{
	struct pool_thread *t;

	queue_end(&pool->queue);
	while ((t = pool->threads)) {
		pool->threads = t->next;
		pthread_join(t->id, NULL);
		worker_clear(&t->worker);
		free(t);
	}
	queue_clear(&pool->queue);
}
