/* SPDX-License-Identifier: MIT */
/*
 * How many connections this process has open, and how the one thread that accepts learns that
 * one is gone, whichever thread closed it.
 *
 * Model: open is changed by everybody; resume_below is set by the accepting thread before it
 * sleeps and taken back by the first who closes below it and wakes it. The thread sets
 * resume_below and then looks at open, the others change open and then look at resume_below, all
 * sequentially consistent: one of them sees the other, and no wake-up is lost.
 */
#ifndef REACTOR_GATE_H
#define REACTOR_GATE_H

struct gate {
	long open;	   /* atomic */
	long resume_below; /* atomic; 0: nobody waits */
	int wake_fd;	   /* eventfd for edge-triggered epoll: written, never read */
};

/* 0 or -errno. Clear is fine after a failed init, and again after itself. */
int gate_init(struct gate *gate);
void gate_clear(struct gate *gate);

/* One connection more, one less. Any thread. */
void gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

/* The connections open now. */
long gate_open(const struct gate *gate);

/* Wake by wake_fd once fewer than so many are open, at once where that is so already; 0: do not. */
void gate_watch(struct gate *gate, long resume_below);

#endif
