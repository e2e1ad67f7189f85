/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* A MOD that changes nothing is not made; but it re-arms ONESHOT and tells edges again. */
#include "mutant.h"

int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
	static struct {
		int set;
		uint32_t events;
		uint64_t data;
	} last[1024];
	int r;

	if (op != EPOLL_CTL_DEL && (unsigned)fd < 1024) {
		if (op == EPOLL_CTL_MOD && last[fd].set == set &&
		    last[fd].events == event->events && last[fd].data == event->data.u64)
			return 0;
		r = sys_ctl(set, op, fd, event);
		if (r == 0) {
			last[fd].set = set;
			last[fd].events = event->events;
			last[fd].data = event->data.u64;
		}
		return r;
	}
	return sys_ctl(set, op, fd, event);
}
