/* SPDX-License-Identifier: MIT */
/* caught: wait-early */
/* Who waits for ever looks again now and then, and the host hears of it. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	return sys_wait(set, events, max, timeout < 0 ? 2 : timeout);
}
