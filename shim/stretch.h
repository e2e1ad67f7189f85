/* SPDX-License-Identifier: MIT */
/*
 * Idle polls of epoll wait a little inside the call (policy/wake.h decides for how long). The
 * host's own call has been made and found nothing; then follows a ppoll of the set, which takes no
 * event, and, when that says there is one, the host's call once more. poll and select are
 * counted, not treated.
 *
 * A signal, an event, or a refusal ends it, and the host is told what its own call said: nothing
 * yet; EINTR if it was a signal and the host's own call had waited. errno changes only then. Holds
 * no lock; raw system calls, so no cancellation point.
 */
#ifndef UNSPIN_STRETCH_H
#define UNSPIN_STRETCH_H

#include <signal.h>
#include <sys/epoll.h>

#include "config.h"
#include "thread.h"

void stretch_configure(const struct config *config);

/* The thread's wait has returned; seen: WAKEUP_* bits. */
void stretch_note(struct thread_context *context, unsigned seen, int64_t timeout_ns, int returned);

int stretch_epoll_slow(uint64_t enter_ns, int64_t timeout_ns, int epfd, struct epoll_event *events,
		       int max, const sigset_t *mask);

/* The host's call found nothing: returns what the host is to see, 0, a number of events, or -1. */
static inline int stretch_epoll(uint64_t enter_ns, int64_t timeout_ns, int epfd,
				struct epoll_event *events, int max, const sigset_t *mask)
{
	const struct thread_context *context = thread_self.context;

	if (likely(!context) || likely(!context->stretch.us))
		return 0;
	return stretch_epoll_slow(enter_ns, timeout_ns, epfd, events, max, mask);
}

#endif
