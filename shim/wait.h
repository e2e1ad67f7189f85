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
#include "socket.h"
#include "thread.h"

/* One wait on its way through a wrapper; on the wrapper's stack. */
struct wait {
	int64_t timeout_ns; /* -1: for ever */
	uint64_t enter_ns;  /* 0: nobody asked */
};

/* Before the real call. Keeps errno. */
void wait_enter(struct wait *wait, int64_t timeout_ns);

/* After it, with its result; `events` and errno as the kernel left them. Keep errno. */
void wait_return_epoll(struct wait *wait, int epfd, const struct epoll_event *events, int returned);
void wait_return_poll(struct wait *wait, const struct pollfd *fds, nfds_t n, int returned);
void wait_return_select(struct wait *wait, int n, const fd_set *in, const fd_set *out,
			int returned);

static inline int64_t wait_ms(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000000;
}

int64_t wait_timespec(const struct timespec *timeout);

#endif
