/* SPDX-License-Identifier: MIT */
/*
 * Decides what to do about a stalled socket. Pure: facts and limits in, verdict out; the shim
 * gathers the facts (shim/observe.c) and carries the verdict out (shim/action.c).
 *
 * grow: a buffer is raised so that it holds what is queued plus what the host still wants to
 * write, when it is the buffer that stalls the socket:
 *  - TCP had sent all that the buffer held and waited for more (nothing unsent in the queue, or
 *    the kernel's own sndbuf_limited clock ran since the last stall), or
 *  - the host spins: then the reader's or the network's pace does not matter, a buffer that
 *    takes the rest frees the thread at once.
 * A slow reader of a host that yields needs no bigger buffer and gets none. Between unix sockets
 * there is no network: a stall is the reader's pace, unless the host spins.
 */
#ifndef UNSPIN_POLICY_H
#define UNSPIN_POLICY_H

#include <stdint.h>

enum policy_reason {
#define REASON(id, text) POLICY_##id,
#include "reason.def"
};

enum policy_strategy {
#define STRATEGY(id, text) POLICY_DO_##id,
#include "strategy.def"
};

/*
 * Growth is put off while the window of a reader this near opens, for so many responses at most, and
 * for so many tries of one of them: a reader that has stopped reading opens nothing.
 */
#define POLICY_NEAR_US 500
#define POLICY_OPENING_TURNS 8
#define POLICY_OPENING_TRIES 256
#define POLICY_OPENING_SEGMENTS 8

/* Fruitless tries in one run after which growth need not ask for the stall's cause. */
#define POLICY_SPIN_TRIES 3

struct policy_limits {
	uint64_t sndbuf_max;   /* bytes, as the kernel accounts (SO_SNDBUF read back) */
	uint64_t kernel_max;   /* most a SO_SNDBUF call can reach here: 2 * wmem_max, or more */
	uint64_t autotune_max; /* tcp_wmem[2]: what the kernel reaches by itself */
	uint64_t budget_left;  /* bytes the process may still add */
	uint8_t can_unlock;    /* SO_BUF_LOCK gives auto-tuning back */
	uint8_t may_override;  /* sizes the host fixed may be raised */
	uint8_t is_forced;     /* write=grow: any stall the buffer can be raised for */
	uint8_t is_observing;  /* mode=observe or write=off */
};

/* What is known of one stalled socket. Times are differences since the stall before. */
struct policy_facts {
	uint64_t sndbuf;    /* bytes, SO_SNDBUF read back */
	uint64_t queued;    /* bytes of it in use */
	uint64_t unsent;    /* payload bytes not handed to the network yet */
	uint64_t remaining; /* bytes the host asked for and the kernel did not take */
	uint64_t payload;   /* what `queued` carries; 0: not known */
	uint32_t overhead;  /* of the class, policy_overhead(); 0: not known */
	uint64_t rwnd_limited_us, sndbuf_limited_us, busy_us;
	uint32_t peer_window; /* bytes the reader lets be in flight; 0: not known */
	uint32_t min_rtt_us;  /* shortest round trip seen; 0: not known */
	uint32_t segment;     /* bytes of payload in one at most */
	uint32_t tries;	    /* fruitless tries in this run, the stall included */
	uint8_t is_tcp;
	uint8_t is_unix;    /* a unix stream socket: no network, no times, no auto-tuning */
	uint8_t is_host_fixed; /* the host chose this size: the kernel's lock bit is set */
	uint8_t has_lowat;     /* the host set TCP_NOTSENT_LOWAT */
};

struct policy_verdict {
	enum policy_strategy strategy;
	enum policy_reason reason;
	uint64_t target_bytes; /* GROW: new SO_SNDBUF, as the kernel accounts */
};

struct policy_verdict policy_stall(const struct policy_facts *facts,
				   const struct policy_limits *limits);

/*
 * Asking the kernel why costs about 2 us, so not every stall is examined: the 1st, 2nd, 4th,
 * 8th ... since the last change, and likewise within a run of tries.
 */
int policy_wants_look(uint64_t stalls_since_change, uint32_t tries);

/*
 * Buffer space per payload byte, in 1/16: packets' overhead. A reader with a small window makes
 * the kernel queue small packets, each with its own: 2 times the payload and more with 4 KB.
 * From a queue that is full enough to tell, else what is known of the class, else 1.25.
 */
uint32_t policy_overhead(const struct policy_facts *facts);

/* Do `remaining` more bytes surely fit into the buffer as it is? */
int policy_fits(const struct policy_facts *facts);

/* The longest write that surely fits into an empty buffer. */
uint64_t policy_room(const struct policy_facts *facts);

/*
 * Would a larger buffer keep the reader's window shut? A receiver that tunes its window raises it
 * when it has read more than a window within a round trip. A response a little larger than the
 * window, sent at one go, is read as one window and, a trip later, the rest: for hundreds of
 * responses the window stays, and the rest is sent by the softirq that brings the reader's ACK.
 * Sent in two writes by the host's own stalls it opens the window within some eight. Twice the
 * window and more opens it either way; and far from the reader each stall costs more than this. So
 * it does where a window is but a few segments (the loopback device has 64 KB): less than two are
 * acknowledged after 40 ms.
 */
int policy_window_may_open(const struct policy_facts *facts, uint32_t turns);

/*
 * Before a write of `remaining` bytes that do not fit. A response longer than the buffer stalls
 * whatever the cause, so none is asked for; the other rules are those of policy_stall().
 */
struct policy_verdict policy_ahead(const struct policy_facts *facts,
				   const struct policy_limits *limits, int is_by_class);

#endif
