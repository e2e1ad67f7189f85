/* SPDX-License-Identifier: MIT */
/* Goes on with a vector by moving the host's own pieces along, and forgets that one may be empty. */
#include "naive.h"

ssize_t writev(int fd, const struct iovec *host, int n)
{
	REAL(writev);
	struct iovec *iov = (struct iovec *)host;
	ssize_t r = real(fd, iov, n), total = r;
	size_t left = 0;

	for (int i = 0; i < n && r > 0; i++)
		left += iov[i].iov_len;
	while (r > 0 && (left -= (size_t)r) && raw_wait(fd, 5) == 1) {
		for (size_t skip = (size_t)r; skip;) {
			size_t part = skip < iov->iov_len ? skip : iov->iov_len;

			iov->iov_base = (char *)iov->iov_base + part;
			iov->iov_len -= part;
			skip -= part;
			if (!iov->iov_len)
				iov++, n--;
		}
		r = real(fd, iov, n);
		total += r > 0 ? r : 0;
	}
	return total;
}
