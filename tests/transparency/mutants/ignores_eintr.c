/* SPDX-License-Identifier: MIT */
/* Waits by the clock, whatever happens meanwhile: a signal, a shutdown. */
#include "naive.h"

static ssize_t sleep_on(int fd, size_t n, ssize_t r)
{
	int error = errno;

	if (is_stalled(fd, r, n))
		for (unsigned long long end = naive_now_ms() + 50; naive_now_ms() < end;)
			syscall(SYS_poll, NULL, 0, 1);
	errno = error;
	return r;
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);

	return sleep_on(fd, n, real(fd, buffer, n));
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	REAL(writev);
	size_t n = 0;

	for (int i = 0; i < count; i++)
		n += iov[i].iov_len;
	return sleep_on(fd, n, real(fd, iov, count));
}

ssize_t send(int fd, const void *buffer, size_t n, int flags)
{
	REAL(send);

	return sleep_on(fd, n, real(fd, buffer, n, flags));
}
