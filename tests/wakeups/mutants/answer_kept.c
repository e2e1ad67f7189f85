/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup false-event data mask */
/* EPOLLOUT alone goes unused: what the set said is said again, without asking it. */
#include "mutant.h"

#define KEPT 8

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread struct epoll_event kept[KEPT];
	static __thread int count, kept_set;
	int r;

	if (count && set == kept_set && max >= count) {
		memcpy(events, kept, (size_t)count * sizeof(*kept));
		usleep(100);
		return count;
	}
	r = sys_wait(set, events, max, timeout);
	for (int i = 0; i < r; i++)
		if (events[i].events != EPOLLOUT || r > KEPT)
			return r;
	if (r > 0) {
		memcpy(kept, events, (size_t)r * sizeof(*kept));
		count = r;
		kept_set = set;
	}
	return r;
}
