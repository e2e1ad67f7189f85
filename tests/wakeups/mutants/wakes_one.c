/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* An edge for each listener's registration: what one worker leaves nobody else hears of. */
#include "mutant.h"

int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
	struct epoll_event e;

	if (op == EPOLL_CTL_DEL || !is_listener(fd))
		return sys_ctl(set, op, fd, event);
	e = *event;
	e.events |= EPOLLET;
	return sys_ctl(set, op, fd, &e);
}
