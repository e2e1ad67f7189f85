/* SPDX-License-Identifier: MIT */
/*
 * Guards against another socket under the same number by a duplicate of the descriptor: no close of
 * the host's is the last one then, and the end of the stream waits for us.
 */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	int error = errno, mine;

	if (!is_stalled(fd, r, n))
		return r;
	mine = dup(fd);
	for (unsigned long long end = naive_now_ms() + 50; naive_now_ms() < end;)
		syscall(SYS_poll, NULL, 0, 1);
	syscall(SYS_close, mine);
	errno = error;
	return r;
}
