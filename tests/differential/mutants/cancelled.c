/* SPDX-License-Identifier: MIT */
/* caught: cancel-in-call */
/* seeds: 9 22 35 */
/* Waits by libc's poll, a cancellation point: the count of what was sent unwinds with the stack. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int saved = errno;

	(void)buf;
	if (is_stalled(fd, n, flags, r))
		poll(&p, 1, 30);
	errno = saved;
	return r;
}
