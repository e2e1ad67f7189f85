/* SPDX-License-Identifier: MIT */
/*
 * Goes on with a stalled write inside the host's call. The rules, each broken once in an
 * experiment (tests/transparency keeps the experiments):
 *  - the last send before a short count or EAGAIN is returned has itself stalled, or
 *    edge-triggered hosts hang;
 *  - a retry goes to the socket of the host's call or nowhere: no send while anybody is closing
 *    the descriptor or once its SO_COOKIE is another one, and no close while a send is between
 *    that check and its end; otherwise one client's bytes reach another;
 *  - what one call sent lies together in the stream, as the kernel has it for non-blocking calls:
 *    bytes that another thread (or a signal handler) sends meanwhile end the retry;
 *  - waits are slices of RETRY_SLICE_NS, because a wait delays the FIN of a socket closed
 *    meanwhile;
 *  - raw system calls: a cancellation would lose the count of what was sent;
 *  - EINTR of our wait ends it with what we have; signals wait while a send is under way;
 *  - an error after part was sent is kept for the host's next call (EPIPE is not, whether part
 *    was sent or nothing: the kernel gives it again, with its signal, which a retry never sends).
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

/* Whose call is gone on with. */
struct retry_key {
	uint64_t cookie;     /* taken under the record's lock, right after it was compared */
	uint32_t generation; /* taken when the host's own call had just returned */
};

/*
 * Goes on after the host's call returned *result (bytes, or -1 with *error EAGAIN) until all is
 * sent, the socket stalls again (once, spin: limits; block: max_ns), or something else happens.
 * Updates both to what the host is to see. The record's lock must NOT be held. Returns the
 * number of sends made.
 */
unsigned retry_go_on(struct fdrec *rec, const struct request *request, enum retry_how how,
		     const struct retry_key *key, uint64_t max_ns, ssize_t *result, int *error);

/* A call has sent bytes: other calls' retries must not go on after them. The new generation. */
static inline uint32_t retry_intrude(struct fdrec *rec)
{
	return __atomic_add_fetch(&rec->generation, 1, __ATOMIC_SEQ_CST);
}

/*
 * Before a send-side call: while another call is being gone on with, its bytes must not be
 * divided by this one's. That call ends with what it has. (A call that is in the kernel already
 * when the other begins to be gone on with is told by observe_begin(), mostly.)
 */
void retry_give_way(struct fdrec *rec);

static inline int retry_is_in_progress(const struct fdrec *rec)
{
	return unlikely(load_relaxed(&rec->retrying));
}

static inline uint32_t retry_generation(const struct fdrec *rec)
{
	return __atomic_load_n(&rec->generation, __ATOMIC_SEQ_CST);
}

/*
 * Round a close or replacement of the descriptor: before it ends retries and waits until none is
 * in the middle of a send; after it. A thread cancelled in between never comes to the second:
 * then the number has no more retries.
 */
void retry_closing(struct fdrec *rec);
void retry_closed(struct fdrec *rec);

/* The same for many at once: no retry of any descriptor goes on meanwhile. */
void retry_range_closing(void);
void retry_range_closed(void);
int retry_range_is_closing(void);

/* Fork child: threads that were sending or closing are gone. */
void retry_begin_child(void);

#endif
