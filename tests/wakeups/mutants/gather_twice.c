/* SPDX-License-Identifier: MIT */
/* caught: false-event */
/* Waits once more for company and appends what comes: what is still ready comes twice. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	int r = sys_wait(set, events, max, timeout), more;

	if (r <= 0 || r == max)
		return r;
	sched_yield();
	more = sys_wait(set, events + r, max - r, 0);
	return more > 0 ? r + more : r;
}
