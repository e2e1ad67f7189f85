/* SPDX-License-Identifier: MIT */
/*
 * Thin waits: waits that bring few events although the thread has, or would have, more than enough
 * to do. Each costs a system call, perhaps two switches, for work that could have shared them.
 *
 * Few events alone are no waste: a thread with nothing else to do is right to take each event as it
 * comes. So waits of few events are thin only if the thread was *saturated* over the window they
 * lay in, which is known when the window ends. It was when both are true:
 *  - it waited more often than every THIN_BUSY_NS;
 *  - it hardly ever slept (it always found work), or it was driven from its processor again and
 *    again (others wanted it, perhaps those who make its events).
 * Waits that said EPOLLOUT alone are idle_out.h's and never thin.
 *
 * Preemptions per wait, measured once on two processors with other programs at work: four reactors
 * and their load generator 0.08 to 0.13, one reactor with 64 connections 0.005.
 *
 * Pure: facts in, answers out.
 */
#ifndef UNSPIN_THIN_H
#define UNSPIN_THIN_H

#include <stdint.h>

#define THIN_EVENTS 4	    /* above, a wait's price is shared by enough */
#define THIN_BUSY_NS 500000 /* a wait per half millisecond at least, or there is nothing to save */
#define THIN_WINDOW 256	    /* waits, at least, of one window */
#define THIN_AWAKE 16	    /* at most one sleep in so many waits: never out of work */
#define THIN_PREEMPTED 64   /* at least one preemption in so many waits: not alone */

/* A thread's running totals at one moment. */
struct thin_facts {
	uint64_t now_ns, waits;
	uint64_t sleeps, preemptions; /* voluntary and other switches */
	int has_switches;	      /* the two are known */
};

static inline int thin_is_few(int64_t events)
{
	return events > 0 && events < THIN_EVENTS;
}

/* Has a window ended, that began with `from`? */
static inline int thin_is_over(const struct thin_facts *from, uint64_t waits)
{
	return waits - from->waits >= THIN_WINDOW;
}

/* Does the thread wait often enough for its switches to be worth asking for? */
int thin_is_busy(const struct thin_facts *from, const struct thin_facts *to);

/* Was the thread saturated in between? */
int thin_is_saturated(const struct thin_facts *from, const struct thin_facts *to);

#endif
