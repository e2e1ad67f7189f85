/* SPDX-License-Identifier: MIT */
/* Looks at the clock only when there is no room: a reader that makes a little at a time is waited
 * for without end, and every call of a turn anew. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	size_t done = r > 0 ? (size_t)r : 0;

	if (!is_stalled(fd, r, n))
		return r;
	while (done < n && raw_wait(fd, 40) == 1) {
		long more = syscall(SYS_sendto, fd, (const char *)buffer + done, n - done,
				    MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	errno = EAGAIN;
	return done ? (ssize_t)done : -1;
}
