/* SPDX-License-Identifier: MIT */
/*
 * Going on with a call is only lawful while no other call is at work on the socket: one that is in
 * the kernel already would put its bytes between ours. Calls that do not begin on the fast path
 * are counted (`writing`; sequentially consistent, a pair with `retrying`: either they see the
 * retry and end it, or the retry sees them). A call that does begin there is its thread's, the
 * last writer's; so whoever takes a socket over from another writer may have it beside it: its
 * first call is not gone on with, and the first SHARED_CALLS not when the two write parts of one
 * response.
 */
#ifndef UNSPIN_ENTRY_H
#define UNSPIN_ENTRY_H

#include "fdtable.h"
#include "request.h"

/* A thread without a row has no id: then its number, apart from all ids. */
uint32_t entry_thread(void);

/*
 * Before a send-side call that does not begin on the fast path: it is at work on the socket, until
 * entry_leave(). Ends retries of other calls. Slow path, keeps errno.
 */
void entry_begin(struct fdrec *rec);
void entry_leave(struct fdrec *rec);

/* This thread ends, perhaps cancelled in a call: it is at work no more. */
void entry_thread_ended(void);

/* After the host's own call: is it the only one at work, and was it all along? */
int entry_is_alone(const struct request *request, const struct fdrec *rec);

#endif
