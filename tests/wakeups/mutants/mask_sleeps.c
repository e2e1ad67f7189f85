/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* seeds: 42 */
/* EPOLLOUT alone does not end a wait: who wrote only when told of room sleeps on. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	int r;

	do {
		r = sys_wait(set, events, max, timeout);
		if (r == 1 && events[0].events == EPOLLOUT && timeout < 0)
			usleep(200);
	} while (r == 1 && events[0].events == EPOLLOUT && timeout < 0);
	return r;
}
