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
 * sleeps, are counted as herd too. And where one worker is always the quickest, the others never
 * have an event at which they could count their sleeps: of these the accepting one asks at a
 * window's end what they have cost (wake_watcher_vain()). A verdict is made from a window of such
 * events, and looked at again after each further window:
 *
 *	LEAVE --a quarter of a window was herd--> EXCLUSIVE --twice no better than half--> WITHDRAWN
 *	  ^------------------- later, each time twice as late ----------------------------------'
 *
 * Room for the other policies: each gets a struct of counts and a function of its own here.
 */
#ifndef UNSPIN_WAKE_H
#define UNSPIN_WAKE_H

#include <stdint.h>

#define WAKE_LOOK 32	    /* events before a first verdict: a server's first second */
#define WAKE_PROOF 512	    /* events under treatment before it is judged */
/*
 * The window that led to the treatment is short: 16 workers under full load showed 250 to 830
 * permille in it, 800 to 980 later, 70 to 150 when treated; half of 250 withdrew what had paid, for
 * good, in 2 of 14 runs. So a share that would not lead to a treatment is no reason, it takes two
 * windows in a row, and events until a withdrawn treatment is tried again double with each trial.
 */
#define WAKE_BAD_WINDOWS 2
#define WAKE_AGAIN	 (1 << 13)
#define WAKE_AGAIN_MAX	 (1 << 20)
#define WAKE_HERD_PERMILLE 250 /* one wake-up in four for nothing is worth two system calls */

/*
 * Connections by which an exclusive watcher's own may grow before it goes to the end of the kernel's
 * queue. The kernel always wakes the first watcher that waits, in the order in which they were
 * added: with connections that come one by one and stay, one worker takes all of them. nginx does
 * the same every 16 (ngx_reorder_accept_events); 4 costs a system call more per two connections and
 * bounds the unfairness to four.
 *
 * Those that have been closed again do not count: where they are short, the worker that is awake and
 * warm is the best one, and the next is woken only when it is busy. (16 workers, one client, each
 * time all asleep: turns regardless of that made it 0.8 of the rate of the host alone and twice its
 * latency.) Only at first each takes turns: one that never has an event would never be treated.
 */
#define WAKE_TURN 4
#define WAKE_FIRST_TURNS 16

struct wake_turn {
	uint32_t open;	/* connections accepted and not closed, at the last turn */
	uint32_t taken; /* accepts since */
	uint32_t turns; /* so far, no more than WAKE_FIRST_TURNS */
};

/* It has accepted one, and has so many open now: 1: it is to go to the end of the queue. */
int wake_turn_is_due(struct wake_turn *turn, uint32_t open);

/* It has become exclusive, or gone to the end. */
void wake_turn_begin(struct wake_turn *turn, uint32_t open);

enum wake_verdict { WAKE_VERDICT_LEAVE, WAKE_VERDICT_EXCLUSIVE, WAKE_VERDICT_WITHDRAWN };

/*
 * A watcher that was given no event while connections came, and whose thread used at least that
 * much of a processor for each of them, was woken for them. A wake-up in vain cost 3 to 12 us on a
 * virtual machine with Linux 6.18; faster ones are to be seen as well.
 */
#define WAKE_VAIN_NS 1000

/* Watchers of a listener that can be asked: a sample, where there are more. */
#define WAKE_WATCHERS 8

/* A watcher as the others see it. Written racily, like the listener. */
struct wake_watcher {
	uint32_t pid, tid; /* 0: free */
	uint32_t events;   /* given to it */
	uint32_t events_then; /* at the last look, like the others */
	uint64_t useful_then, cpu_then_ns;
};

/* One listener. Several processes write it without a lock: counts by locked adds, the window and
 * the verdict racily (each is an estimate, and a verdict that comes a moment late harms nobody). */
struct wake_listener {
	uint64_t useful;   /* events after which the first accept brought a connection */
	uint64_t herds;	   /* events after which it found nothing, and wake-ups in the kernel */
	uint64_t vain;	   /* wake-ups of watchers that had no event at all, by their CPU time */
	uint64_t from_useful, from_herds, from_vain; /* when the window began */
	uint32_t watchers; /* epoll sets it is registered in, as far as seen */
	uint32_t verdict;  /* enum wake_verdict */
	uint32_t permille; /* share of herds that led to the treatment */
	uint32_t bad;	   /* windows under treatment in a row that were no better */
	uint64_t bad_at;   /* event of the last of them: two processes may judge the same */
	uint32_t again;	   /* events a withdrawn one waits for; 0: never yet withdrawn */
	uint32_t is_added; /* some process has given it EPOLLEXCLUSIVE */
	uint32_t is_by_vain; /* without `vain` it would not be treated; what busy watchers use for
			      * their connections looks the same, so else it is not asked again */
	struct wake_watcher watcher[WAKE_WATCHERS];
};

/* May a registration with this mask carry EPOLLEXCLUSIVE (epoll_ctl(2)), and would it help? */
int wake_may_be_exclusive(uint32_t mask);

/*
 * After an event was counted, or a set has been added: looks whether the verdict changes, and
 * returns it. is_forced: the user asked for it, so that being watched twice is enough, and it is
 * never withdrawn.
 */
enum wake_verdict wake_listener_look(struct wake_listener *listener, int is_forced);

/* Before that: is a window full, and would the watchers' CPU time matter? */
int wake_listener_asks(const struct wake_listener *listener);

/* A watcher's CPU time now, of all processes' `useful` now: how many it was woken for in vain. */
uint64_t wake_watcher_vain(struct wake_watcher *watcher, uint64_t useful, uint64_t cpu_ns);

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
