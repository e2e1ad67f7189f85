/* SPDX-License-Identifier: MIT */
/*
 * Spurious wake-ups: idle polls of a thread, and events of a socket that nobody used.
 *
 * An empty wait is an *idle poll* only when all of this holds:
 *  - its timeout is 0 ... WAKEUP_SHORT_NS,
 *  - the wait of this thread before it was such an empty wait too,
 *  - in between lay no read, write or accept, and less than WAKEUP_PAUSE_NS of time (an upper
 *    bound of the CPU time, which costs a system call to ask for; a preempted thread is thus
 *    counted too rarely, never too often).
 * So a timer tick of more than 5 ms, libuv's timeout-0 polls after a full event array, and the
 * one non-blocking look before a real wait are not idle polls.
 *
 * Single-threaded per state.
 */
#ifndef UNSPIN_WAKEUP_H
#define UNSPIN_WAKEUP_H

#include "event.h"

#include <sys/epoll.h> /* constants only; poll's bits have the same values on Linux */

#define WAKEUP_SHORT_NS 5000000 /* a timer this short is polling (DESIGN: 0 ... few ms) */
#define WAKEUP_PAUSE_NS 20000	/* ~10 loop turns that find nothing; a request takes longer */

/* Bits of what a wait meant. */
enum { WAKEUP_EMPTY = 1, WAKEUP_IDLE = 2 };

struct wakeup_state {
	uint64_t return_ns; /* when the last short empty wait returned; 0: the last was not one */
	uint64_t io_calls;  /* the thread's I/O calls then */
};

/* True when wakeup_wait() will need enter_ns of this wait. */
static inline int wakeup_wants_enter(const struct wakeup_state *state, int64_t timeout_ns)
{
	return state->return_ns && timeout_ns >= 0 && timeout_ns <= WAKEUP_SHORT_NS;
}

/* True when it will need return_ns. */
static inline int wakeup_wants_return(int64_t timeout_ns, int64_t returned)
{
	return returned == 0 && timeout_ns >= 0 && timeout_ns <= WAKEUP_SHORT_NS;
}

/* The cheap case of wakeup_wait(): the wait returned events, so no idle poll can follow. */
static inline void wakeup_had_events(struct wakeup_state *state)
{
	state->return_ns = 0;
}

/* Has the thread done nothing since a short empty wait, when it waits again at enter_ns? */
int wakeup_is_idle_before(const struct wakeup_state *state, uint64_t io_calls, uint64_t enter_ns);

/* One wait has returned: bits of the enum above. */
unsigned wakeup_wait(struct wakeup_state *state, const struct wait_event *event);

/*
 * Events delivered for one socket and not used yet. Written by whichever thread handles the
 * socket; each word is independent, so no lock.
 */
enum { READY_IN = 1, READY_OUT = 2, READY_BY_POLL = 4 /* told by poll or select, by no set */ };

/* The bits a returned epoll or poll mask leaves pending. Only pure wake-ups count: an error or
 * hang-up explains itself, and EPOLLOUT beside EPOLLIN cost no wake-up of its own. */
static inline uint32_t ready_from_mask(uint32_t mask)
{
	if (mask == EPOLLIN) /* nearly always */
		return READY_IN;
	if (mask & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		return 0;
	if (mask & (EPOLLIN | EPOLLPRI))
		return READY_IN;
	return mask & EPOLLOUT ? READY_OUT : 0;
}

/* First read or accept after delivery found nothing: a dry-in (listener: herd). */
static inline int ready_is_dry(uint32_t pending, int found_nothing)
{
	return (pending & READY_IN) && found_nothing;
}

/* The delivering thread waits again: was the writable event left unused? */
static inline int ready_is_unused_out(uint32_t pending)
{
	return (pending & READY_OUT) != 0;
}

#endif
