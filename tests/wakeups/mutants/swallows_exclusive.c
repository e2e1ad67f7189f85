/* SPDX-License-Identifier: MIT */
/* caught: mod */
/* Makes every MOD that the kernel refuses as DEL and ADD, the host's own EPOLLEXCLUSIVE too. */
#include "mutant.h"

int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
	int r = sys_ctl(set, op, fd, event);

	if (op == EPOLL_CTL_MOD && r < 0 && errno == EINVAL) {
		sys_ctl(set, EPOLL_CTL_DEL, fd, event);
		r = sys_ctl(set, EPOLL_CTL_ADD, fd, event);
	}
	return r;
}
