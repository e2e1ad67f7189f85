/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* A stretched poll that takes the event by a wait of its own and says what the first one said. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned idles;
	struct epoll_event own[8];
	int r = sys_wait(set, events, max, timeout);

	idles = r == 0 && timeout == 0 ? idles + 1 : 0;
	if (idles > 64)
		sys_wait(set, own, 8, 1);
	return r;
}
