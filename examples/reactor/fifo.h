/* SPDX-License-Identifier: MIT */
/*
 * A line of connections, linked through themselves, so that putting one in cannot fail. No lock:
 * who shares one has his own (queue.h, mailbox.h). Zeroed memory is an empty one.
 */
#ifndef REACTOR_FIFO_H
#define REACTOR_FIFO_H

#include "conn.h"

struct fifo {
	struct conn *first;
	struct conn *last; /* valid while first is not NULL */
	long length;
};

static inline void fifo_put(struct fifo *fifo, struct conn *c)
{
	c->queued = NULL;
	if (fifo->first)
		fifo->last->queued = c;
	else
		fifo->first = c;
	fifo->last = c;
	fifo->length++;
}

/* The one that waits longest, or NULL. */
static inline struct conn *fifo_take(struct fifo *fifo)
{
	struct conn *c = fifo->first;

	if (c) {
		fifo->first = c->queued;
		fifo->length--;
	}
	return c;
}

#endif
