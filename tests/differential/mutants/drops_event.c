/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup trace hang */
/* seeds: 2 3 15 16 */
/* Keeps EPOLLOUT events back, for they "will be reported again": edges will not. */
#define NO_AFTER
#include "mutant.h"

static int keep_back(struct epoll_event *events, int n)
{
	static _Atomic unsigned seen;

	return n > 0 && events[n - 1].events == EPOLLOUT && seen++ % 8 == 7 ? n - 1 : n;
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	int n;

	do
		n = REAL(epoll_wait)(epfd, events, max, timeout);
	while (n > 0 && (n = keep_back(events, n)) == 0);
	return n;
}

int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	int n;

	do
		n = REAL(epoll_pwait)(epfd, events, max, timeout, mask);
	while (n > 0 && (n = keep_back(events, n)) == 0);
	return n;
}
