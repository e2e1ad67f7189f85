/* SPDX-License-Identifier: MIT */
/* Waits. All forms are wrapped or none: a spin ends at whichever the host uses. */
#include "hooks.h"

#include "gather.h"
#include "mask.h"
#include "stretch.h"
#include "wait.h"

/* A timespec may only be read when the kernel has read it: until then the wait may be short. */
#define TIMEOUT_UNKNOWN 0

#define CALLED_FROM __builtin_return_address(0)

/* What follows an answer that was perhaps EPOLLOUT alone once more (mask.h). */
static COLD int masked_wait(uint64_t enter_ns, int epfd, struct epoll_event *events, int max,
			    int timeout, int r)
{
	struct mask_wait w = { enter_ns, wait_ms(timeout), epfd, max, events, NULL };

	return mask_hold(&w, &r) ? real.epoll_wait(epfd, events, max, mask_left_ms(&w)) : r;
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	uint64_t enter_ns = wait_enter_epoll(epfd, wait_ms(timeout));
	int r = gather_before(epfd, wait_ms(timeout), NULL)
			? real.epoll_wait(epfd, events, max, timeout) : -1;

	if (unlikely(r == 0))
		r = stretch_epoll(enter_ns, wait_ms(timeout), epfd, events, max, NULL);
	else if (unlikely(enter_ns) && mask_is_due(r))
		r = masked_wait(enter_ns, epfd, events, max, timeout, r);
	wait_return_epoll(enter_ns, wait_ms(timeout), epfd, events, r, CALLED_FROM);
	return r;
}

static COLD int masked_pwait(uint64_t enter_ns, int epfd, struct epoll_event *events, int max,
			     int timeout, const sigset_t *mask, int r)
{
	struct mask_wait w = { enter_ns, wait_ms(timeout), epfd, max, events, mask };

	return mask_hold(&w, &r) ? real.epoll_pwait(epfd, events, max, mask_left_ms(&w), mask) : r;
}

int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	uint64_t enter_ns = wait_enter_epoll(epfd, wait_ms(timeout));
	int r = gather_before(epfd, wait_ms(timeout), mask)
			? real.epoll_pwait(epfd, events, max, timeout, mask) : -1;

	if (unlikely(r == 0))
		r = stretch_epoll(enter_ns, wait_ms(timeout), epfd, events, max, mask);
	else if (unlikely(enter_ns) && mask_is_due(r))
		r = masked_pwait(enter_ns, epfd, events, max, timeout, mask, r);
	wait_return_epoll(enter_ns, wait_ms(timeout), epfd, events, r, CALLED_FROM);
	return r;
}

static COLD int masked_pwait2(uint64_t enter_ns, int epfd, struct epoll_event *events, int max,
			      const struct timespec *timeout, const sigset_t *mask, int r)
{
	struct mask_wait w = { enter_ns, wait_read_timespec(r, timeout), epfd, max, events, mask };
	struct timespec left;

	if (!mask_hold(&w, &r))
		return r;
	return real.epoll_pwait2(epfd, events, max, mask_left_timespec(&w, &left), mask);
}

int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
		 const sigset_t *mask)
{
	uint64_t enter_ns = wait_enter_epoll(epfd, TIMEOUT_UNKNOWN);
	int r = gather_before(epfd, timeout ? TIMEOUT_UNKNOWN : -1, mask)
			? real.epoll_pwait2(epfd, events, max, timeout, mask) : -1;

	if (unlikely(r == 0))
		r = stretch_epoll(enter_ns, wait_read_timespec(r, timeout), epfd, events, max, mask);
	else if (unlikely(enter_ns) && mask_is_due(r))
		r = masked_pwait2(enter_ns, epfd, events, max, timeout, mask, r);
	wait_return_epoll(enter_ns, wait_read_timespec(r, timeout), epfd, events, r, CALLED_FROM);
	return r;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	uint64_t enter_ns = wait_enter(wait_ms(timeout));
	int r = real.poll(fds, n, timeout);

	wait_return_poll(enter_ns, wait_ms(timeout), fds, n, r, CALLED_FROM);
	return r;
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	uint64_t enter_ns = wait_enter(wait_ms(timeout));
	int r = real.__poll_chk(fds, n, timeout, room);

	wait_return_poll(enter_ns, wait_ms(timeout), fds, n, r, CALLED_FROM);
	return r;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	uint64_t enter_ns = wait_enter(TIMEOUT_UNKNOWN);
	int r = real.ppoll(fds, n, timeout, mask);

	wait_return_poll(enter_ns, wait_read_timespec(r, timeout), fds, n, r, CALLED_FROM);
	return r;
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t room)
{
	uint64_t enter_ns = wait_enter(TIMEOUT_UNKNOWN);
	int r = real.__ppoll_chk(fds, n, timeout, mask, room);

	wait_return_poll(enter_ns, wait_read_timespec(r, timeout), fds, n, r, CALLED_FROM);
	return r;
}

/* select() writes the remaining time back on Linux, so an idle poll by it cannot be told from
 * its timeout afterwards: counted as a wait, never as an idle poll. */
int select(int n, fd_set *in, fd_set *out, fd_set *error, struct timeval *timeout)
{
	uint64_t enter_ns = wait_enter(-1);
	int r = real.select(n, in, out, error, timeout);

	wait_return_select(enter_ns, -1, n, in, out, r, CALLED_FROM);
	return r;
}

int pselect(int n, fd_set *in, fd_set *out, fd_set *error, const struct timespec *timeout,
	    const sigset_t *mask)
{
	uint64_t enter_ns = wait_enter(TIMEOUT_UNKNOWN);
	int r = real.pselect(n, in, out, error, timeout, mask);

	wait_return_select(enter_ns, wait_read_timespec(r, timeout), n, in, out, r, CALLED_FROM);
	return r;
}

HOOK_ALIAS(poll, __poll);
HOOK_ALIAS(select, __select);
