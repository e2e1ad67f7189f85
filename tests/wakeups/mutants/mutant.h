/* SPDX-License-Identifier: MIT */
/*
 * A mutant is what a wake-up policy would be if one rule of docs/DESIGN.md were forgotten, as a
 * library of its own. Its first lines say by which violation the hunt must catch it.
 */
#ifndef WAKEUPS_MUTANT_H
#define WAKEUPS_MUTANT_H

#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline int sys_wait(int set, struct epoll_event *events, int max, int timeout)
{
	return (int)syscall(SYS_epoll_pwait, set, events, max, timeout, NULL, 8);
}

static inline int sys_ctl(int set, int op, int fd, struct epoll_event *event)
{
	return (int)syscall(SYS_epoll_ctl, set, op, fd, event);
}

static inline int is_listener(int fd)
{
	int is = 0;
	socklen_t bytes = sizeof(is);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &bytes) == 0 && is;
}

#endif
