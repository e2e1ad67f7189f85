/* SPDX-License-Identifier: MIT */
/*
 * Connections that wait for any of many threads: a mutex and a condition variable, on purpose the
 * plainest such queue there is, because its switches and its futex calls are what the dispatching
 * architectures are measured for. It needs no bound: a connection is in it once at most, so the
 * limit on connections is its limit too.
 */
#ifndef REACTOR_QUEUE_H
#define REACTOR_QUEUE_H

#include <pthread.h>

#include "fifo.h"

struct queue {
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t filled;
	struct fifo fifo;
	bool is_ended;
};

/* Clear when no thread uses it any more. */
void queue_init(struct queue *queue);
void queue_clear(struct queue *queue);

/* Returns how many wait now, this one included. */
long queue_put(struct queue *queue, struct conn *c);

/* Sleep until there is one; NULL: the queue has ended, whatever is still in it. */
struct conn *queue_take(struct queue *queue);

/* Send all threads home. */
void queue_end(struct queue *queue);

#endif
