/* SPDX-License-Identifier: MIT */
/* caught: late-timer */
/* Keeps every wait that found nothing half a millisecond longer. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	struct timespec t = { .tv_nsec = 450000 }; /* and 50 us of timer slack */
	int r = sys_wait(set, events, max, timeout);

	if (r == 0)
		nanosleep(&t, NULL);
	return r;
}
