/* SPDX-License-Identifier: MIT */
/* Returns a short count although the socket has room: a fair share of each call, or 64 pieces. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);

	return real(fd, buffer, n > 5000 ? 5000 : n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	REAL(writev);

	return real(fd, iov, n > 64 ? 64 : n);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	REAL(sendfile);

	return real(out, in, offset, n > 5000 ? 5000 : n);
}
