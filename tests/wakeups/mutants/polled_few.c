/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup late no-end */
/* EPOLLOUT goes unused: waits by poll() for the sockets that said so, not for the others in the set. */
#include "mutant.h"

#define FEW 8

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned unused;
	int r = sys_wait(set, events, max, timeout);
	struct pollfd fds[FEW];

	for (int i = 0; i < r; i++)
		if (events[i].events != EPOLLOUT || events[i].data.u64 > 1023 || r > FEW)
			return r;
	if (r <= 0 || ++unused < 16)
		return r;
	for (int i = 0; i < r; i++)
		fds[i] = (struct pollfd){ .fd = (int)events[i].data.u64, .events = POLLIN };
	poll(fds, (nfds_t)r, -1);
	return sys_wait(set, events, max, timeout);
}
