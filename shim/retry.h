/* SPDX-License-Identifier: MIT */
/*
 * Goes on with a stalled write inside the host's call. The rules, each broken once in an
 * experiment:
 *  - the last send before a short count or EAGAIN is returned has itself stalled, or
 *    edge-triggered hosts hang;
 *  - before every retry the descriptor must still be the same socket (SO_COOKIE), and a close,
 *    dup2 or close_range by another thread ends the wait: otherwise one client's bytes reach
 *    another;
 *  - waits are slices of RETRY_SLICE_NS, because a wait delays the FIN of a socket closed
 *    meanwhile;
 *  - raw system calls: a cancellation would lose the count of what was sent;
 *  - EINTR of our wait ends it with what we have;
 *  - an error after part was sent is kept for the host's next call (EPIPE is not: the kernel
 *    gives it again, with its signal); MSG_NOSIGNAL then, so that no signal comes early;
 *  - nothing sent yet: the retry is as the host's own call, signals included.
 */
#ifndef UNSPIN_RETRY_H
#define UNSPIN_RETRY_H

#include "config.h"
#include "fdtable.h"
#include "request.h"

#define RETRY_SLICE_NS 1000000

enum retry_how {
	RETRY_ONCE,  /* the buffer has just been raised */
	RETRY_SPIN,  /* at once, spin_limit times or until deadline */
	RETRY_BLOCK, /* wait for room, until deadline */
};

void retry_configure(const struct config *config);

/* May this call be gone on with at all? */
int retry_is_allowed(const struct fdrec *rec, const struct request *request);

/*
 * Goes on after the host's call returned *result (bytes, or -1 with *error EAGAIN) until all is
 * sent, the socket stalls again (once, spin: limits; block: max_ns), or something else happens.
 * Updates both to what the host is to see. The record's lock must NOT be held. Returns the
 * number of sends made.
 */
unsigned retry_go_on(struct fdrec *rec, const struct request *request, enum retry_how how,
		     uint64_t max_ns, ssize_t *result, int *error);

/* Another thread is about to close or replace the descriptor: ends waits in progress. */
void retry_interrupt(struct fdrec *rec);

#endif
