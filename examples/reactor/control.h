/* SPDX-License-Identifier: MIT */
/*
 * SEDA's controllers: from what is seen of a stage every CONTROL_PERIOD_NS, how many threads it
 * gets and how many connections a thread takes at once. Pure: samples and time in, decision out.
 *
 * The rules are the paper's. Its numbers (a sample every 2 s, 5 s of idleness) are for servers
 * that run for hours; ours are shorter, or a benchmark of seconds would see nothing of them.
 */
#ifndef REACTOR_CONTROL_H
#define REACTOR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_PERIOD_NS 100000000LL  /* who calls keeps to it */
#define CONTROL_IDLE_NS	  2000000000LL /* a thread without work stays so long */
#define CONTROL_QUEUE_ADD 8	       /* waiting connections that are worth a thread more */
#define CONTROL_BATCH_MAX 64

/* A stage as it is now. */
struct control_sample {
	long queue_length;
	long threads, idle_threads;
	unsigned long completed; /* since the start */
};

/* Zeroed but for threads_max is one that has not seen anything yet. */
struct control_threads {
	long threads_max;
	int64_t idle_since_ns; /* valid while is_idle */
	bool is_idle;	       /* one thread or more had nothing to do at each sample since then */
};

/* How many threads more: 1, 0 or -1. One is added where the queue is long and nobody is idle, and
 * taken where one was idle all the time; there is always one. */
long control_threads(struct control_threads *c, const struct control_sample *s, int64_t now_ns);

/*
 * The smallest batch that keeps the throughput: as long as the rate stays where it was, batches
 * get smaller (a shorter wait for who is last in one); where it falls a little, larger again;
 * where it falls by half, the load has changed, and it starts anew from the largest.
 */
struct control_batch {
	long size;		 /* now; 0: nothing seen yet */
	unsigned long completed; /* at the last sample */
	long rate;		 /* connections a period, times 16, decaying average */
	long rate_best;		 /* what it is held against; forgotten slowly */
};

/* The size of batches from now on, from 1 to CONTROL_BATCH_MAX. */
long control_batch(struct control_batch *c, const struct control_sample *s);

#endif
