/* SPDX-License-Identifier: MIT */
/*
 * mask: a thread whose waits say nothing but "writable", again and again, and who uses none of it,
 * is kept in its next waits for whatever else the set may tell (shim/mask.c). It is the
 * stretch of wake.h with other numbers: the wait doubles from WAKE_STRETCH_US to the user's bound,
 * any event ends it, and a host that does something after such a wait that brought nothing else has
 * shown that it needs the armed EPOLLOUT as its clock: twice as many idle out-rounds next time.
 *
 * What is new is that a wait costs something: each registration is changed twice, and changed back
 * although the wait may have lasted 20 us only. Of a window of waits, the cost may be a share of
 * the time waited; else it is withdrawn, for a million rounds.
 */
#ifndef UNSPIN_WAKE_MASK_H
#define UNSPIN_WAKE_MASK_H

#include "wake.h"

/*
 * A round takes some 0.5 us and each of its events 0.16 more: the need is one of time, so a round
 * counts as another one per three events. 256 of one event are a sixth of a millisecond of spinning
 * before a treated run, less than what a treated wait may keep from a host. Who leaves EPOLLOUT
 * armed for the rest of a response uses it within one round.
 */
#define WAKE_MASK_AFTER	 256
#define WAKE_MASK_EVENTS 3 /* of a round: they take as long as another */
#define WAKE_MASK_WINDOW 256 /* waits: the first five of a run, which are short, do not decide */
#define WAKE_MASK_SHARE	 4   /* the cost may be a 4th of the time waited, natively all lost */

struct wake_mask {
	struct wake_stretch hold;
	uint32_t from_us; /* how long they were when an event ended the last run; 0: a doubt did */
	uint32_t waits; /* of the window */
	uint64_t cost_ns, held_ns;
};

/* May a registration with this mask be treated (level-triggered, not ONESHOT, not EXCLUSIVE)? */
int wake_may_be_masked(uint32_t mask);

/* May one with this mask be waited for by poll() instead: level-triggered, nothing special? */
int wake_may_be_polled(uint32_t mask);

/* A wait has returned: an idle out-round before it, and again nothing else (IDLE); something else
 * (EVENTS); or the host has used what the one before it brought (WORK). events: it brought so many. */
void wake_mask_wait(struct wake_mask *mask, enum wake_poll was, uint32_t events, uint32_t max_us);

/* Another set, a signal: the run of rounds ends, and nothing is learnt of it. */
void wake_mask_break(struct wake_mask *mask);

/* A wait was treated: cost_ns of CPU. 1: it does not pay, and is withdrawn. is_forced: never. */
int wake_mask_paid(struct wake_mask *mask, uint64_t cost_ns, uint64_t held_ns, int is_forced);

#endif
