/* SPDX-License-Identifier: MIT */
/* Retries without MSG_NOSIGNAL: the signal comes with a call that succeeds. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	size_t done = r > 0 ? (size_t)r : 0;
	int error = errno;

	if (!is_stalled(fd, r, n))
		return r;
	for (int i = 0; done < n && i < 20; i++) {
		long more = syscall(SYS_sendto, fd, (const char *)buffer + done, n - done,
				    MSG_DONTWAIT, NULL, 0);

		if (more < 0 && errno != EAGAIN && errno != ECONNRESET)
			break;
		done += more > 0 ? (size_t)more : 0;
		raw_wait(fd, 1);
	}
	errno = error;
	return done ? (ssize_t)done : r;
}
