/* SPDX-License-Identifier: MIT */
/*
 * A connection as the host's program sees it: opened, stepped on by whatever style of server owns
 * it, ended. One thread owns it at a time; only a signal handler may interrupt its owner.
 *
 *	pos <= owed <= plan->total     sent so far, asked for by the requests read so far, all
 */
#ifndef DIFFERENTIAL_CONN_H
#define DIFFERENTIAL_CONN_H

#include <sys/types.h>

#include "board.h"
#include "plan.h"

struct conn {
	const struct conn_plan *plan;
	struct host_side *side;
	const struct peer_side *peer;
	int fd, dup_fd;
	volatile uint64_t pos; /* read by handlers */
	uint64_t got, owed;
	uint32_t round; /* requests read */
	uint64_t last_progress_ns;
	uint32_t open_blocks; /* blocks whose `after` is not known yet */
	uint8_t is_nonblocking, has_timeout, is_shut, is_dead, is_done, has_end_in;
	uint8_t is_struck;	    /* another thread shuts or resets it meanwhile */
	volatile uint8_t has_reset; /* ECONNRESET was reported */
	uint8_t may_be_eaten;	    /* natively: a call of several steps met it after the first */
	uint8_t was_full;	    /* the last call stalled */
	uint8_t ready;		    /* edge-triggered owners: what the last edges promised */
	_Atomic uint32_t edges;	    /* monitor.c */
};

enum step {
	STEP_OUT,  /* stalled: wait until it is writable */
	STEP_IN,   /* wait until it is readable */
	STEP_MORE, /* progress; more can be done at once */
	STEP_DONE  /* nothing is left to do: end it */
};

extern struct conn conns[MAX_CONNS];
extern struct plan plan;

/* A listener of the scene, published to the peers. */
int conn_listen(uint32_t scene, int is_nonblocking);

/*
 * Opens the next connection of a scene: accepts (returns NULL on EAGAIN), dials, or makes a pair
 * and passes its other end. The descriptor is non-blocking when asked.
 */
struct conn *conn_accept(int listener, int is_nonblocking);
struct conn *conn_open(uint32_t id, int is_nonblocking);

/* One read or some writes, as a server's handler does. budget: bytes to write at most. */
enum step conn_step(struct conn *c, uint64_t budget, int short_is_full);

/* What it can go on with only: EPOLLIN or EPOLLOUT; 0 when it is done. */
uint32_t conn_wants(const struct conn *c);

/* No progress for longer than a host would wait. */
int conn_is_stuck(const struct conn *c);

/* Ends it as planned; epfd >= 0: leaves this set first where children may hold the descriptor. */
void conn_end(struct conn *c, int epfd);

/* The bookkeeping of an end without the closing: the descriptor is the caller's. */
void conn_note_end(struct conn *c);

/* Switches O_NONBLOCK. */
void conn_set_nonblocking(struct conn *c, int on);

#endif
