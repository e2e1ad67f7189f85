/* SPDX-License-Identifier: MIT */
/*
 * Goes on with everything that looks unfinished: whatever the flags, control data, kind of
 * socket, or reason for EAGAIN.
 */
#include "naive.h"

static ssize_t go_on(int fd, const struct msghdr *host, int flags, size_t n, ssize_t r)
{
	struct msghdr message = *host;
	struct iovec rest = *host->msg_iov;
	size_t done = r > 0 ? (size_t)r : 0;

	message.msg_iov = &rest;
	if (r < 0 && errno != EAGAIN)
		return r;
	for (unsigned long long end = naive_now_ms() + 50; done < n && naive_now_ms() < end;) {
		ssize_t more;

		rest.iov_base = (char *)host->msg_iov->iov_base + done;
		rest.iov_len = n - done;
		raw_wait(fd, 10);
		more = syscall(SYS_sendmsg, fd, &message, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	errno = EAGAIN;
	return done ? (ssize_t)done : -1;
}

ssize_t send(int fd, const void *buffer, size_t n, int flags)
{
	REAL(send);
	struct iovec iov = { (void *)buffer, n };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return go_on(fd, &message, flags, n, real(fd, buffer, n, flags));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	REAL(sendmsg);
	ssize_t r = real(fd, message, flags);

	return message->msg_iovlen == 1 ? go_on(fd, message, flags, message->msg_iov->iov_len, r) : r;
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	struct iovec iov = { (void *)buffer, n };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return go_on(fd, &message, 0, n, real(fd, buffer, n));
}
