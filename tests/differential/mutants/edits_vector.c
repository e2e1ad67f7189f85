/* SPDX-License-Identifier: MIT */
/* caught: changed */
/* seeds: 0 1 2 */
/* Moves the host's own iovec on after a short count. */
#define NO_AFTER
#include "mutant.h"

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	ssize_t r = REAL(writev)(fd, iov, n);

	if (r > 0 && n > 0 && iov[0].iov_len > (size_t)r) {
		((struct iovec *)iov)->iov_base = (char *)iov[0].iov_base + r;
		((struct iovec *)iov)->iov_len -= (size_t)r;
	}
	return r;
}
