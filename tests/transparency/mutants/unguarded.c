/* SPDX-License-Identifier: MIT */
/*
 * Compares SO_COOKIE before every retry, but nobody keeps the descriptor from being closed
 * between that and the send.
 */
#include "naive.h"

static unsigned long long cookie_of(int fd)
{
	unsigned long long cookie = 0;
	socklen_t bytes = sizeof(cookie);

	syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes);
	return cookie;
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	unsigned long long cookie = cookie_of(fd);
	ssize_t r = real(fd, buffer, n);
	size_t done = r > 0 ? (size_t)r : 0;

	if (!is_stalled(fd, r, n))
		return r;
	for (unsigned long long end = naive_now_ms() + 300; done < n && naive_now_ms() < end;) {
		struct iovec rest = { (char *)buffer + done, n - done };
		struct msghdr message = { .msg_iov = &rest, .msg_iovlen = 1 };
		long more;

		if (raw_wait(fd, 1) < 0 || cookie_of(fd) != cookie)
			break;
		more = syscall(SYS_sendmsg, fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	errno = EAGAIN;
	return done ? (ssize_t)done : -1;
}
