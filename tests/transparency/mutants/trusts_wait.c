/* SPDX-License-Identifier: MIT */
/* Hands the host the errno of its own auxiliary call. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec t = { 0, 1000000 };
	ssize_t r = real(fd, buffer, n);

	if (r < 0 && is_stalled(fd, r, n) && syscall(SYS_ppoll, &p, 1, &t, NULL, 8) >= 0)
		errno = EAGAIN;
	return r;
}
