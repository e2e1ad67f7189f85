/* SPDX-License-Identifier: MIT */
/* caught: lost-wakeup */
/* seeds: 33 */
/* EPOLLEXCLUSIVE on every listener, MOD made as DEL and ADD; but nobody is woken anew when the
 * worker that had the wake-up goes away. */
#include "mutant.h"

static uint8_t is_hosts[1024];

int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
	struct epoll_event e;

	if (op == EPOLL_CTL_ADD && event->events & EPOLLEXCLUSIVE)
		is_hosts[fd % 1024] = 1;
	if (op == EPOLL_CTL_DEL || event->events & EPOLLONESHOT || is_hosts[fd % 1024] ||
	    !is_listener(fd))
		return sys_ctl(set, op, fd, event);
	e = *event;
	if (e.events & EPOLLIN)
		e.events |= EPOLLEXCLUSIVE;
	if (op == EPOLL_CTL_MOD)
		sys_ctl(set, EPOLL_CTL_DEL, fd, &e);
	return sys_ctl(set, EPOLL_CTL_ADD, fd, &e);
}
