/* SPDX-License-Identifier: MIT */
/*
 * Connections on their way from any thread to one reactor. Who posts into an empty box wakes the
 * reactor through an eventfd in its epoll set; who posts into one that still holds something
 * need not, since the reactor has not looked yet (Tomcat's poller keeps a wake-up counter for
 * the same reason).
 */
#ifndef REACTOR_MAILBOX_H
#define REACTOR_MAILBOX_H

#include <pthread.h>

#include "fifo.h"

struct mailbox {
	pthread_mutex_t lock; /* of fifo */
	struct fifo fifo;
	int wake_fd; /* eventfd for edge-triggered epoll: written, never read */
};

/* 0 or -errno. Clear is for what init succeeded on; it leaves the connections alone. */
int mailbox_init(struct mailbox *box);
void mailbox_clear(struct mailbox *box);

/* Any thread; afterwards the connection belongs to the reactor. */
void mailbox_post(struct mailbox *box, struct conn *c);

/* Everything posted so far. Only the reactor. */
struct fifo mailbox_empty(struct mailbox *box);

#endif
