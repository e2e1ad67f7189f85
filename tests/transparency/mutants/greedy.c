/* SPDX-License-Identifier: MIT */
/* Grows every buffer to whatever length the host mentions, and gives auto-tuning back. */
#include "naive.h"

static void grow(int fd, size_t n)
{
	int half = n / 2 > 2000000 ? 2000000 : (int)(n / 2), saved = errno, unlocked = 0;

	if (half < 16384)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
	setsockopt(fd, SOL_SOCKET, 72 /* SO_BUF_LOCK */, &unlocked, sizeof(unlocked));
	errno = saved;
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);

	grow(fd, n);
	return real(fd, buffer, n);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	REAL(sendfile);

	grow(out, n);
	return real(out, in, offset, n);
}
