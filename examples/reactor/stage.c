/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "control.h"
#include "fifo.h"
#include "pin.h"
#include "pool.h"
#include "server.h"

struct stage_thread {
	struct stage_thread *next;
	struct stage *stage;
	pthread_t id;
	long index;
	bool is_gone; /* under the lock: it ends without being told to, and is to be joined */
	struct worker worker;
};

struct stage {
	struct server *server;
	struct stage_plan plan;
	struct stage_thread *threads; /* only who starts and joins them */
	long started;		      /* the same */
	struct control_threads control_threads;
	struct control_batch control_batch; /* both: the controlling thread's */
	pthread_mutex_t lock;		    /* of all below */
	pthread_cond_t filled;
	struct fifo fifo;
	bool is_ended;
	long size, size_wanted, idle; /* threads; more than are wanted go */
	long batch;
	/* For /stats. */
	long queue_length_max;
	unsigned long puts, shed, completed, batches;
	unsigned long threads_added, threads_removed, batch_raises, batch_cuts;
};

/* With the lock. */
static void stage_enter(struct stage *stage, struct conn *c)
{
	fifo_put(&stage->fifo, c);
	stage->puts++;
	if (stage->fifo.length > stage->queue_length_max)
		stage->queue_length_max = stage->fifo.length;
}

static int stage_try(struct stage *stage, struct worker *w, struct conn *c, long limit)
{
	long length;
	bool is_shed;

	pthread_mutex_lock(&stage->lock);
	is_shed = stage->fifo.length >= limit;
	if (is_shed)
		stage->shed++;
	else
		stage_enter(stage, c);
	length = stage->fifo.length;
	pthread_mutex_unlock(&stage->lock);
	if (is_shed)
		return -ENOBUFS;
	pthread_cond_signal(&stage->filled);
	counter_add_relaxed(&w->counters->dispatches, 1);
	counter_raise_relaxed(&w->counters->queue_length_max, (unsigned long)length);
	return 0;
}

int stage_put(struct stage *stage, struct worker *w, struct conn *c)
{
	return stage_try(stage, w, c, stage->plan.queue_max);
}

void stage_put_again(struct stage *stage, struct worker *w, struct conn *c)
{
	stage_try(stage, w, c, LONG_MAX);
}

/* Wait for a batch; false: the thread is not needed any more. With the lock. */
static bool stage_wait(struct stage *stage, struct stage_thread *t)
{
	while (!stage->fifo.first && !stage->is_ended && stage->size <= stage->size_wanted) {
		stage->idle++;
		pthread_cond_wait(&stage->filled, &stage->lock);
		stage->idle--;
	}
	if (stage->is_ended)
		return false;
	if (stage->fifo.first)
		return true;
	stage->size--;
	t->is_gone = true;
	return false;
}

static bool stage_take(struct stage *stage, struct stage_thread *t, struct fifo *batch)
{
	bool is_needed;

	pthread_mutex_lock(&stage->lock);
	is_needed = stage_wait(stage, t);
	if (is_needed) {
		while (stage->fifo.first && batch->length < stage->batch)
			fifo_put(batch, fifo_take(&stage->fifo));
		stage->batches++;
	}
	pthread_mutex_unlock(&stage->lock);
	return is_needed;
}

static void stage_work(struct stage *stage, struct worker *w, struct fifo *batch)
{
	unsigned long length = (unsigned long)batch->length;
	struct conn *c;

	while ((c = fifo_take(batch)))
		stage->plan.handle(w, c, stage->plan.context);
	pthread_mutex_lock(&stage->lock);
	stage->completed += length;
	pthread_mutex_unlock(&stage->lock);
}

static void *stage_thread_main(void *arg)
{
	struct stage_thread *t = arg;
	struct fifo batch = { 0 };

	pin_thread(t->stage->server, t->index + 1);
	while (stage_take(t->stage, t, &batch))
		stage_work(t->stage, &t->worker, &batch);
	return NULL;
}

/* As in pool.c, but for the stack: that a thread parses here changes nothing. */
static int stage_thread_start(struct stage_thread *t)
{
	pthread_attr_t attr;
	int ret = pthread_attr_init(&attr);

	if (ret)
		return -ret;
	pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
	ret = pthread_create(&t->id, &attr, stage_thread_main, t);
	pthread_attr_destroy(&attr);
	return -ret;
}

static void stage_resize(struct stage *stage, long change)
{
	pthread_mutex_lock(&stage->lock);
	stage->size += change > 0 ? change : 0; /* one that goes counts itself out */
	stage->size_wanted += change;
	pthread_mutex_unlock(&stage->lock);
}

static int stage_grow(struct stage *stage)
{
	struct stage_thread *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->stage = stage;
	t->index = stage->started;
	ret = worker_init(&t->worker, stage->server);
	if (ret)
		goto no_worker;
	stage_resize(stage, 1); /* before it looks whether it is needed */
	ret = stage_thread_start(t);
	if (ret)
		goto no_thread;
	stage->started++;
	t->next = stage->threads;
	stage->threads = t;
	return 0;
no_thread:
	pthread_mutex_lock(&stage->lock);
	stage->size--;
	stage->size_wanted--;
	pthread_mutex_unlock(&stage->lock);
	worker_clear(&t->worker);
no_worker:
	free(t);
	return ret;
}

/* Join and free; all, or those that are gone already. */
static void stage_reap(struct stage *stage, bool is_all)
{
	struct stage_thread **at = &stage->threads, *t;

	while ((t = *at)) {
		bool is_gone;

		pthread_mutex_lock(&stage->lock);
		is_gone = t->is_gone;
		pthread_mutex_unlock(&stage->lock);
		if (!is_gone && !is_all) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		pthread_join(t->id, NULL);
		worker_clear(&t->worker);
		free(t);
	}
}

int stage_new(struct server *srv, const struct stage_plan *plan, struct stage **ret_stage)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	int ret;

	if (!stage)
		return -ENOMEM;
	stage->server = srv;
	stage->plan = *plan;
	stage->control_threads.threads_max = plan->threads_max;
	stage->batch = CONTROL_BATCH_MAX;
	pthread_mutex_init(&stage->lock, NULL);
	pthread_cond_init(&stage->filled, NULL);
	ret = stage_grow(stage);
	if (ret)
		stage_free(stage);
	else
		*ret_stage = stage;
	return ret;
}

void stage_stop(struct stage *stage)
{
	if (!stage)
		return;
	pthread_mutex_lock(&stage->lock);
	stage->is_ended = true;
	pthread_cond_broadcast(&stage->filled);
	pthread_mutex_unlock(&stage->lock);
	stage_reap(stage, true);
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	pthread_cond_destroy(&stage->filled);
	pthread_mutex_destroy(&stage->lock);
	free(stage);
}

static struct control_sample stage_sample(struct stage *stage)
{
	struct control_sample sample;

	pthread_mutex_lock(&stage->lock);
	sample = (struct control_sample){ .queue_length = stage->fifo.length,
					  .threads = stage->size_wanted,
					  .idle_threads = stage->idle,
					  .completed = stage->completed };
	pthread_mutex_unlock(&stage->lock);
	return sample;
}

static void stage_set_batch(struct stage *stage, long batch)
{
	pthread_mutex_lock(&stage->lock);
	stage->batch_raises += batch > stage->batch;
	stage->batch_cuts += batch < stage->batch;
	stage->batch = batch;
	pthread_mutex_unlock(&stage->lock);
}

static void stage_shrink(struct stage *stage)
{
	stage_resize(stage, -1);
	pthread_mutex_lock(&stage->lock);
	stage->threads_removed++;
	pthread_cond_broadcast(&stage->filled); /* to any that is idle */
	pthread_mutex_unlock(&stage->lock);
}

void stage_control(struct stage *stage, int64_t now_ns)
{
	struct control_sample sample = stage_sample(stage);
	long change = control_threads(&stage->control_threads, &sample, now_ns);

	stage_reap(stage, false);
	if (change < 0)
		stage_shrink(stage);
	/* A thread that cannot be started now is asked for again at the next sample. */
	if (change > 0 && stage_grow(stage) == 0) {
		pthread_mutex_lock(&stage->lock);
		stage->threads_added++;
		pthread_mutex_unlock(&stage->lock);
	}
	stage_set_batch(stage, control_batch(&stage->control_batch, &sample));
}

void stage_print(struct stage *stage, FILE *out)
{
	pthread_mutex_lock(&stage->lock);
	fprintf(out, "{\"name\":\"%s\",\"queue_length\":%ld,\"queue_length_max\":%ld",
		stage->plan.name, stage->fifo.length, stage->queue_length_max);
	fprintf(out, ",\"queue_limit\":%ld,\"puts\":%lu,\"shed\":%lu,\"completed\":%lu",
		stage->plan.queue_max, stage->puts, stage->shed, stage->completed);
	fprintf(out, ",\"threads\":%ld,\"threads_limit\":%ld,\"idle_threads\":%ld", stage->size,
		stage->plan.threads_max, stage->idle);
	fprintf(out, ",\"threads_added\":%lu,\"threads_removed\":%lu", stage->threads_added,
		stage->threads_removed);
	fprintf(out, ",\"batch\":%ld,\"batches\":%lu,\"batch_raises\":%lu,\"batch_cuts\":%lu}",
		stage->batch, stage->batches, stage->batch_raises, stage->batch_cuts);
	pthread_mutex_unlock(&stage->lock);
}
