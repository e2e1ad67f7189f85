/* SPDX-License-Identifier: MIT */
/* caught: late */
/* seeds: 78 */
/* After many idle polls the thread is put to sleep until there is an event. */
#include "mutant.h"

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
	static __thread unsigned idles;
	int r = sys_wait(set, events, max, timeout);

	idles = r == 0 && timeout >= 0 ? idles + 1 : 0;
	return idles > 20 ? sys_wait(set, events, max, -1) : r;
}
