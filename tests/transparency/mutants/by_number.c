/* SPDX-License-Identifier: MIT */
/* Waits and writes on by number, whoever has it by then and whoever wrote meanwhile. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	size_t done = r > 0 ? (size_t)r : 0;

	if (!is_stalled(fd, r, n))
		return r;
	for (unsigned long long end = naive_now_ms() + 300; done < n && naive_now_ms() < end;) {
		long more;

		if (raw_wait(fd, 1) < 0 && errno != EINTR)
			break;
		more = syscall(SYS_sendto, fd, (const char *)buffer + done, n - done,
			       MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	errno = EAGAIN;
	return done ? (ssize_t)done : -1;
}
