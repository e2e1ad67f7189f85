/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* EPOLLOUT that goes unused is taken out, and never comes back. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned unused;
	int r = sys_wait(set, events, max, timeout);
	struct epoll_event e;

	/* Plain data of the commonest kind is enough to be wrong. */
	for (int i = 0; i < r; i++) {
		if (events[i].events != EPOLLOUT || ++unused < 16 || events[i].data.u64 > 1023)
			continue;
		e = events[i];
		e.events = EPOLLIN;
		sys_ctl(set, EPOLL_CTL_MOD, (int)e.data.u64, &e);
	}
	return r;
}
