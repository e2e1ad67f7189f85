/* SPDX-License-Identifier: MIT */
/* One long poll instead of slices: it holds the socket open, and sleeps on when it is closed. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);

	if (is_stalled(fd, r, n))
		raw_wait(fd, 300);
	return r;
}
