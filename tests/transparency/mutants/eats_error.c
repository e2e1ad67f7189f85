/* SPDX-License-Identifier: MIT */
/*
 * Drops the error a retry met after part was sent: "the next call will get it again". Goes on by
 * sendmsg, which is what the scene waits for.
 */
#include "naive.h"

static size_t go_on(int fd, const char *buffer, size_t done, size_t n)
{
	for (unsigned long long end = naive_now_ms() + 100; done < n && naive_now_ms() < end;) {
		struct iovec rest = { (char *)buffer + done, n - done };
		struct msghdr message = { .msg_iov = &rest, .msg_iovlen = 1 };
		long more = syscall(SYS_sendmsg, fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	return done;
}

NAIVE_WRITE(go_on)
