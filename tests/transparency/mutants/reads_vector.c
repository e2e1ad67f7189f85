/* SPDX-License-Identifier: MIT */
/* Adds up a vector's bytes before the kernel has looked at it. */
#include "naive.h"

volatile size_t asked;

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	REAL(writev);

	for (int i = 0; i < n && i < 1024; i++)
		asked += iov[i].iov_len;
	return real(fd, iov, n);
}
