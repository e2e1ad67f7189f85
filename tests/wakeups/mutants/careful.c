/* SPDX-License-Identifier: MIT */
/* caught: nothing */
/* The control. What is lawful, however odd: events in another order, fewer asked for than the host
 * has room for, the processor handed on before a wait. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	struct epoll_event e;
	int r;

	sched_yield();
	r = sys_wait(set, events, max > 4 ? 4 : max, timeout);
	for (int i = 0; i < r / 2; i++) {
		e = events[i];
		events[i] = events[r - 1 - i];
		events[r - 1 - i] = e;
	}
	return r;
}
