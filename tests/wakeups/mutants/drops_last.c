/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* Hands out fewer events than the kernel gave: the last of a full array is gone. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	int r = sys_wait(set, events, max, timeout);

	return r > 1 && r == max ? r - 1 : r;
}
