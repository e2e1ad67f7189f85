/* SPDX-License-Identifier: MIT */
/*
 * Idle out-rounds: a wait of a thread returned nothing but EPOLLOUT of level-triggered
 * registrations (no data, no hang-up, no error), and the thread waits for the same set again
 * without having used any of it: no read, write or accept, and hardly any time, in between.
 * Natively such rounds follow one another without pause: a whole processor.
 *
 * Single-threaded per state.
 */
#ifndef UNSPIN_IDLE_OUT_H
#define UNSPIN_IDLE_OUT_H

#include <stdint.h>
#include <sys/epoll.h> /* constants only */

struct idle_out {
	uint64_t return_ns; /* when the last such wait returned; 0: the last wait was not one */
	uint64_t io_calls;  /* the thread's I/O calls then */
	uint32_t pause_ns;  /* how long it may take to look at what it was given */
	int32_t set;
};

/* Per event, beyond WAKEUP_PAUSE_NS: an interpreter's loop just woken, that does nothing. */
#define IDLE_OUT_EVENT_NS 2000

/* What became of the wait before this one. */
enum idle_out_before {
	IDLE_OUT_NONE,	 /* it was not one of EPOLLOUT alone, or of another set */
	IDLE_OUT_UNUSED, /* an idle out-round */
	IDLE_OUT_USED,	 /* the thread has done something since */
};

/* All bits of all events of a wait together: EPOLLOUT and nothing else? */
static inline int idle_out_is_alone(uint32_t kinds)
{
	return kinds == EPOLLOUT;
}

/* The thread waits for the set at enter_ns. */
enum idle_out_before idle_out_before(const struct idle_out *state, int set, uint64_t io_calls,
				     uint64_t enter_ns);

/* A wait for the set has returned `outs` events of EPOLLOUT alone (0: something else) at now_ns. */
void idle_out_returned(struct idle_out *state, int set, unsigned outs, uint64_t io_calls,
		       uint64_t now_ns);

#endif
