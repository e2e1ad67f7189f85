/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* After some thin waits lets others run and looks whether that has brought company, by a wait whose
 * events it throws away: an edge or a ONESHOT comes only once. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned thin;
	struct epoll_event own[8];
	int r;

	if (thin > 8 && timeout < 0) {
		sched_yield();
		sys_wait(set, own, 8, 0);
	}
	r = sys_wait(set, events, max, timeout);
	thin = r > 0 && r < 4 ? thin + 1 : 0;
	return r;
}
