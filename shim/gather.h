/* SPDX-License-Identifier: MIT */
/*
 * A thread whose waits bring few events on a busy machine hands the processor on before it waits
 * (policy/gather.h decides): it naps for GATHER_NAP_US at most. Only before waits that may last much
 * longer than that. poll and select are counted, not treated.
 *
 * A signal that comes meanwhile is one that came in the host's wait: its handler runs under the
 * wait's own signal mask, and the wait ends with EINTR, unmade. (Natively it would have ended so;
 * made now, it might sleep on what the handler has just said.) Raw system calls, no lock.
 */
#ifndef UNSPIN_GATHER_H
#define UNSPIN_GATHER_H

#include <signal.h>

#include "config.h"
#include "thread.h"

#define GATHER_NAP_US 100

void gather_configure(const struct config *config);

/* Has the thread's time come to be gathered, or to be no more? Every few hundred waits. */
void gather_look_now(struct thread_context *context);

int gather_before_slow(struct thread_context *context, int epfd, int64_t timeout_ns,
		       const sigset_t *mask);

/* 1: make the host's wait. 0: fail with EINTR, errno is set. mask: the wait's, or NULL. */
static inline int gather_before(int epfd, int64_t timeout_ns, const sigset_t *mask)
{
	struct thread_context *context = thread_self.context;

	if (likely(!context) || likely(context->gather.state == GATHER_OFF))
		return 1;
	return gather_before_slow(context, epfd, timeout_ns, mask);
}

#endif
