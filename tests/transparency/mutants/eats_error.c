/* SPDX-License-Identifier: MIT */
/* Drops the error a retry met after part was sent: "the next call will get it again". */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	size_t done = r > 0 ? (size_t)r : 0;

	if (!is_stalled(fd, r, n))
		return r;
	for (unsigned long long end = naive_now_ms() + 100; done < n && naive_now_ms() < end;) {
		struct iovec rest = { (char *)buffer + done, n - done };
		struct msghdr message = { .msg_iov = &rest, .msg_iovlen = 1 };
		long more = syscall(SYS_sendmsg, fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	errno = EAGAIN;
	return done ? (ssize_t)done : -1;
}
