/* SPDX-License-Identifier: MIT */
/* caught: data */
/* A stretched poll that gives back poll's number without the events. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned idles;
	struct pollfd in = { .fd = set, .events = POLLIN };
	int r = sys_wait(set, events, max, timeout);

	idles = r == 0 && timeout == 0 ? idles + 1 : 0;
	return idles > 64 ? poll(&in, 1, 1) : r;
}
