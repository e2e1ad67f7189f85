/* SPDX-License-Identifier: MIT */
/*
 * Write-spin: sees stalls, spin episodes, resumes and responses of one socket.
 *
 *	            stall                  try after EAGAIN, same thread, no wait in between
 *	  FLOWING ---------> STALLED --------------------------------------------+
 *	     ^                  |  ^                                             |
 *	     |  full write      |  +---------------- SPINNING <------------------+
 *	     +------------------+--------------------------+
 *
 * Rules that always hold:
 *  - a *fruitless* try is one that returned EAGAIN; only a try after a fruitless one spins. A
 *    short write neither adds to an episode nor ends it: edge-triggered servers (nginx) must
 *    write until EAGAIN, and one try after a short write is how;
 *  - an episode is counted at its first such try, so an EAGAIN after which the thread goes to a
 *    wait is never one;
 *  - a try is a *resume*, not a spin, when any of these lies between it and the stall: a wait
 *    of the same thread, another thread's hand, a writable event delivered for the socket, an
 *    epoll_ctl on it, a sleep.
 *
 * Single-threaded: the caller serialises the calls for one state (shim: the record's try-lock).
 * response_bytes alone may be added to without it (the path of a full write does).
 */
#ifndef UNSPIN_SPIN_H
#define UNSPIN_SPIN_H

#include "event.h"

/* Fruitless tries that make a socket a spinner: Netty's default writeSpinCount (paper 1). */
#define SPIN_SPINNER_TRIES 16

struct spin_state {
	uint64_t response_bytes; /* written since the last turnaround */
	uint64_t stall_ns;	 /* when the running stall began; 0: flowing */
	uint64_t stall_waits;	 /* the stalling thread's wait count then */
	uint32_t stall_thread;
	uint32_t tries;		 /* fruitless tries in the run, the first EAGAIN included */
	uint8_t is_stalled;	 /* the last write on the socket stalled */
	uint8_t was_fruitless;	 /* ... with EAGAIN */
	uint8_t is_episode;	 /* the run has been counted as an episode */
	uint8_t is_released;	 /* something that ends a spin has happened since the stall */
	uint8_t is_drained;	 /* the drain time of this stall has been reported */
	uint8_t is_spinner;	 /* has ever reached SPIN_SPINNER_TRIES */
};

/* What one write meant; every field is 0 when it did not happen. */
struct spin_seen {
	uint8_t stalled;     /* this write stalled */
	uint8_t spun;	     /* it was a try after a fruitless one with no wait in between */
	uint8_t episode;     /* ... the first such: a new episode */
	uint8_t insists;     /* a new episode, or SPIN_SPINNER_TRIES more tries in the same */
	uint8_t became_spinner;
	uint8_t resumed;     /* it went on after a wait */
	uint8_t waited;	     /* ... of this very thread: not after an event or another thread's hand */
	uint32_t tries;	     /* fruitless tries of the run so far */
	uint64_t trip_ns;    /* cost of leaving and coming back, when resumed and known */
};

/* One write that the fast path did not take. Adds its bytes to the response. */
void spin_write(struct spin_state *state, const struct write_event *event, struct spin_seen *ret);

/*
 * The stalled write was gone on with inside the host's call until now: `bytes` more went out;
 * finished: all, so that the host saw a full write and the stall is over. If not, the stall that
 * the host sees begins now: drain time and trip cost are counted from here, not from before a
 * wait of ours.
 */
void spin_went_on(struct spin_state *state, uint64_t bytes, int is_finished, uint64_t now_ns);

/*
 * The socket was reported writable. Returns the drain time in ns the first time after a stall,
 * else 0.
 */
uint64_t spin_writable(struct spin_state *state, uint64_t now_ns);

/* The host changed the socket's registration: whatever comes next is not a spin. */
void spin_release(struct spin_state *state);

/* A read brought data, or the socket is closed: returns the finished response's size, 0: none. */
uint64_t spin_turn(struct spin_state *state);

static inline int spin_is_stalled(const struct spin_state *state)
{
	return state->is_stalled;
}

#endif
