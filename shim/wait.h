/* SPDX-License-Identifier: MIT */
/*
 * What every wait passes through, before and after the real call: settles the writable events of
 * the thread's last wait, counts, marks the sockets of the events it returned.
 */
#ifndef UNSPIN_WAIT_H
#define UNSPIN_WAIT_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "guard.h"
#include "mask.h"
#include "socket.h"
#include "thread.h"

/* wait_enter() where more is to be done than to count. */
uint64_t wait_enter_slow(int64_t timeout_ns);

/*
 * Before the real call. Returns when the wait began, 0 when nobody needs to know. timeout_ns:
 * -1 for ever. Keeps errno, as all of these do.
 */
static inline uint64_t wait_enter(int64_t timeout_ns)
{
	struct thread_context *context = thread_self.context;

	if (unlikely(!context) ||
	    unlikely(context->outs | context->clocked_waits | context->mask.in_force) ||
	    unlikely(wakeup_wants_enter(&context->wakeup, timeout_ns)))
		return wait_enter_slow(timeout_ns);
	/* Also what ends a spin: the probe compares this count. */
	count_add(&thread_self.row->total[TOTAL_WAITS], 1);
	return 0;
}

/* The same for a wait of an epoll set. */
static inline uint64_t wait_enter_epoll(int epfd, int64_t timeout_ns)
{
	mask_before_wait(epfd);
	return wait_enter(timeout_ns);
}

/* After it, with its result; `events` and errno as the kernel left them. site: where the host's call
 * returns to. */
void wait_return_epoll(uint64_t enter_ns, int64_t timeout_ns, int epfd,
		       const struct epoll_event *events, int returned, const void *site);
void wait_return_poll(uint64_t enter_ns, int64_t timeout_ns, const struct pollfd *fds, nfds_t n,
		      int returned, const void *site);
void wait_return_select(uint64_t enter_ns, int64_t timeout_ns, int n, const fd_set *in,
			const fd_set *out, int returned, const void *site);

static inline int64_t wait_ms(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000000;
}

/* A timespec the kernel has read too: only looked at when the call did not fail. */
int64_t wait_read_timespec(int returned, const struct timespec *timeout);

#endif
