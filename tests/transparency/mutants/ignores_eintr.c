/* SPDX-License-Identifier: MIT */
/* Waits on when a signal has interrupted the wait. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);

	if (is_stalled(fd, r, n))
		for (unsigned long long end = naive_now_ms() + 50; naive_now_ms() < end;)
			syscall(SYS_poll, NULL, 0, 1);
	return r;
}
