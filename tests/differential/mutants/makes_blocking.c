/* SPDX-License-Identifier: MIT */
/* caught: hang outlives held flags */
/* seeds: 9 22 35 */
/* Blocks by switching O_NONBLOCK off for the rest of the write. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	size_t done = r > 0 ? (size_t)r : 0;
	int saved = errno, mode;

	if (!is_stalled(fd, n, flags, r))
		return r;
	mode = (int)syscall(SYS_fcntl, fd, F_GETFL);
	syscall(SYS_fcntl, fd, F_SETFL, mode & ~O_NONBLOCK);
	r = syscall(SYS_sendto, fd, buf + done, n - done, MSG_NOSIGNAL, NULL, 0);
	syscall(SYS_fcntl, fd, F_SETFL, mode);
	errno = saved;
	return r > 0 ? (ssize_t)done + r : done ? (ssize_t)done : -1;
}
