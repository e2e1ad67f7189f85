/* SPDX-License-Identifier: MIT */
/* Waits. All forms are wrapped or none: a spin ends at whichever the host uses. */
#include "hooks.h"

#include "wait.h"

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	struct wait w;
	int r;

	wait_enter(&w, wait_ms(timeout));
	r = real.epoll_wait(epfd, events, max, timeout);
	wait_return_epoll(&w, epfd, events, r);
	return r;
}

int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	struct wait w;
	int r;

	wait_enter(&w, wait_ms(timeout));
	r = real.epoll_pwait(epfd, events, max, timeout, mask);
	wait_return_epoll(&w, epfd, events, r);
	return r;
}

int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
		 const sigset_t *mask)
{
	struct wait w;
	int r;

	wait_enter(&w, -1);
	r = real.epoll_pwait2(epfd, events, max, timeout, mask);
	w.timeout_ns = r < 0 ? -1 : wait_timespec(timeout); /* the kernel has read it: it is valid */
	wait_return_epoll(&w, epfd, events, r);
	return r;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct wait w;
	int r;

	wait_enter(&w, wait_ms(timeout));
	r = real.poll(fds, n, timeout);
	wait_return_poll(&w, fds, n, r);
	return r;
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	struct wait w;
	int r;

	wait_enter(&w, wait_ms(timeout));
	r = real.__poll_chk(fds, n, timeout, room);
	wait_return_poll(&w, fds, n, r);
	return r;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct wait w;
	int r;

	wait_enter(&w, -1);
	r = real.ppoll(fds, n, timeout, mask);
	w.timeout_ns = r < 0 ? -1 : wait_timespec(timeout);
	wait_return_poll(&w, fds, n, r);
	return r;
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t room)
{
	struct wait w;
	int r;

	wait_enter(&w, -1);
	r = real.__ppoll_chk(fds, n, timeout, mask, room);
	w.timeout_ns = r < 0 ? -1 : wait_timespec(timeout);
	wait_return_poll(&w, fds, n, r);
	return r;
}

/* select() writes the remaining time back on Linux, so an idle poll by it cannot be told from
 * its timeout afterwards: counted as a wait, never as an idle poll. */
int select(int n, fd_set *in, fd_set *out, fd_set *error, struct timeval *timeout)
{
	struct wait w;
	int r;

	wait_enter(&w, -1);
	r = real.select(n, in, out, error, timeout);
	wait_return_select(&w, n, in, out, r);
	return r;
}

int pselect(int n, fd_set *in, fd_set *out, fd_set *error, const struct timespec *timeout,
	    const sigset_t *mask)
{
	struct wait w;
	int r;

	wait_enter(&w, -1);
	r = real.pselect(n, in, out, error, timeout, mask);
	w.timeout_ns = r < 0 ? -1 : wait_timespec(timeout);
	wait_return_select(&w, n, in, out, r);
	return r;
}

HOOK_ALIAS(poll, __poll);
HOOK_ALIAS(select, __select);
