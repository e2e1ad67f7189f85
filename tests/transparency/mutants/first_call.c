/* SPDX-License-Identifier: MIT */
/* Makes the host's own call by another one, which a filter may forbid. */
#include "naive.h"

ssize_t write(int fd, const void *buffer, size_t n)
{
	struct iovec iov = { (void *)buffer, n };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r = syscall(SYS_sendmsg, fd, &message, 0);

	return r < 0 && errno == ENOTSOCK ? syscall(SYS_write, fd, buffer, n) : r;
}
