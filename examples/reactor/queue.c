/* SPDX-License-Identifier: MIT */
#include "queue.h"

void queue_init(struct queue *queue)
{
	*queue = (struct queue){ .lock = PTHREAD_MUTEX_INITIALIZER,
				 .filled = PTHREAD_COND_INITIALIZER };
}

void queue_clear(struct queue *queue)
{
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
}

long queue_put(struct queue *queue, struct conn *c)
{
	long length;

	pthread_mutex_lock(&queue->lock);
	fifo_put(&queue->fifo, c);
	length = queue->fifo.length;
	pthread_mutex_unlock(&queue->lock);
	/* After the unlock, or the thread would wake up only to wait for the lock. */
	pthread_cond_signal(&queue->filled);
	return length;
}

struct conn *queue_take(struct queue *queue)
{
	struct conn *c;

	pthread_mutex_lock(&queue->lock);
	while (!queue->fifo.first && !queue->is_ended)
		pthread_cond_wait(&queue->filled, &queue->lock);
	c = queue->is_ended ? NULL : fifo_take(&queue->fifo);
	pthread_mutex_unlock(&queue->lock);
	return c;
}

void queue_end(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->is_ended = true;
	pthread_cond_broadcast(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}
