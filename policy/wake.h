/* SPDX-License-Identifier: MIT */
/*
 * Decides what to do about useless wake-ups. Pure: counts in, verdict out; the shim counts and
 * carries the verdict out (shim/exclusive.c).
 *
 * exclusive: a listener in several epoll sets wakes all of their waiting threads for each
 * connection, and all but one find nothing. EPOLLEXCLUSIVE has one of them woken.
 *
 * Of each listener is counted, by all processes that share it, what the first accept after an
 * event found: a connection (useful) or nothing (herd). Where the accepting worker is quick, the
 * others' epoll_wait finds nothing and sleeps on by itself: such wake-ups, which only show as
 * sleeps, are counted as herd too. A verdict is made from a window of such
 * events, and looked at again after each further window:
 *
 *	LEAVE --a quarter of a window was herd--> EXCLUSIVE --no better than half--> WITHDRAWN
 *	  ^--------------------------- much later ----------------------------------------'
 *
 * Room for the other policies: each gets a struct of counts and a function of its own here.
 */
#ifndef UNSPIN_WAKE_H
#define UNSPIN_WAKE_H

#include <stdint.h>

#define WAKE_LOOK 32	    /* events before a first verdict: a server's first second */
#define WAKE_PROOF 512	    /* events under treatment before it is judged */
#define WAKE_AGAIN (1 << 20) /* events until a withdrawn treatment is tried again */
#define WAKE_HERD_PERMILLE 250 /* one wake-up in four for nothing is worth two system calls */

/*
 * Connections an exclusive watcher takes before it goes to the end of the kernel's queue. The
 * kernel always wakes the first watcher that waits, in the order in which they were added: with
 * connections that come one by one and stay, one worker takes all of them. nginx does the same
 * every 16 (ngx_reorder_accept_events); 4 costs a system call more per two connections and bounds
 * the unfairness to four.
 */
#define WAKE_TURN 4

enum wake_verdict { WAKE_VERDICT_LEAVE, WAKE_VERDICT_EXCLUSIVE, WAKE_VERDICT_WITHDRAWN };

/* One listener. Several processes write it without a lock: counts by locked adds, the window and
 * the verdict racily (each is an estimate, and a verdict that comes a moment late harms nobody). */
struct wake_listener {
	uint64_t useful;   /* events after which the first accept brought a connection */
	uint64_t herds;	   /* events after which it found nothing, and wake-ups in the kernel */
	uint64_t from_useful, from_herds; /* both when the window began */
	uint32_t watchers; /* epoll sets it is registered in, as far as seen */
	uint32_t verdict;  /* enum wake_verdict */
	uint32_t permille; /* share of herds that led to the treatment */
	uint32_t is_added; /* some process has given it EPOLLEXCLUSIVE */
};

/* May a registration with this mask carry EPOLLEXCLUSIVE (epoll_ctl(2)), and would it help? */
int wake_may_be_exclusive(uint32_t mask);

/*
 * After an event was counted, or a set has been added: looks whether the verdict changes, and
 * returns it. is_forced: the user asked for it, so that being watched twice is enough, and it is
 * never withdrawn.
 */
enum wake_verdict wake_listener_look(struct wake_listener *listener, int is_forced);

/*
 * stretch: a thread that polls with no or a short timeout, finds nothing, does nothing and polls
 * again is kept in its poll for a while. The wait doubles from WAKE_STRETCH_US to the user's bound
 * and any event ends it. What it must not delay is work handed over without a descriptor: the
 * host shows that by doing something right after a stretched poll that found nothing. Each time,
 * twice as many idle polls are needed before the next stretch; each event that ends one halves
 * that again: a host whose work always comes as events, and which polls between them, is soon
 * stretched after WAKE_STRETCH_LEAST. A poll that waits for a while itself is a longer look: it
 * counts as that many.
 */
#define WAKE_STRETCH_AFTER 1024 /* idle polls in a row: longer than hosts spin before they sleep */
#define WAKE_STRETCH_LEAST 64	 /* libuv polls 48 times after a full array of events */
#define WAKE_STRETCH_POLL_US 16	 /* a poll of 1 ms counts as 63: 16 of them */
#define WAKE_STRETCH_TRUST 4096 /* stretched polls without a doubt that halve the need as well */
#define WAKE_STRETCH_AFTER_MAX (1u << 20)
#define WAKE_STRETCH_US 20 /* below, going to sleep costs more than it saves */

struct wake_stretch {
	uint32_t idles; /* idle polls in a row */
	uint32_t need;	/* how many it takes; 0: as at first */
	uint32_t us;	/* how long the next idle poll may wait in all; 0: as the host asked */
};

enum wake_poll { WAKE_POLL_IDLE, WAKE_POLL_EVENTS, WAKE_POLL_WORK };

/* A wait has returned: again nothing, events, or nothing but the host had worked before it.
 * asked_us: the host's own timeout, of an idle one. */
void wake_stretch_wait(struct wake_stretch *stretch, enum wake_poll was, uint32_t asked_us,
		       uint32_t max_us);

/* The same with another number of idle polls before the first (wake_mask.h), an idle one
 * counting as `weight` of them. */
void wake_stretch_step(struct wake_stretch *stretch, enum wake_poll was, uint32_t after,
		       uint32_t weight, uint32_t asked_us, uint32_t max_us);

#endif
