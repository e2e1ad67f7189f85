/* SPDX-License-Identifier: MIT */
/* caught: made-up-stall lost-wakeup */
/* seeds: 2 3 15 16 */
/* Says EAGAIN without asking, once in a while, to make a host yield. */
#define NO_AFTER
#include "mutant.h"

static int is_time(int fd)
{
	static _Atomic unsigned calls;

	return calls++ % 8 == 7 && syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	if (!is_time(fd))
		return REAL(write)(fd, buf, n);
	errno = EAGAIN;
	return -1;
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	if (!is_time(fd))
		return REAL(send)(fd, buf, n, flags);
	errno = EAGAIN;
	return -1;
}
