/* SPDX-License-Identifier: MIT */
/* caught: late-timer */
/* Keeps one wait in five half a millisecond longer: the median does not show it. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned waits;
	struct timespec t = { .tv_nsec = 450000 };
	int r = sys_wait(set, events, max, timeout);

	if (++waits % 5 == 0)
		nanosleep(&t, NULL);
	return r;
}
