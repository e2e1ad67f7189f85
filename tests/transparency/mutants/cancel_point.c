/* SPDX-License-Identifier: MIT */
/* Waits in libc's poll, a cancellation point: the thread ends there, and the count with it. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = errno;

	if (is_stalled(fd, r, n))
		poll(&p, 1, 50);
	errno = error;
	return r;
}
