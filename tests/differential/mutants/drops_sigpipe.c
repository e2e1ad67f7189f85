/* SPDX-License-Identifier: MIT */
/* caught: sigpipe trace */
/* seeds: 0 1 2 */
/* Turns every write into a send that raises no SIGPIPE. */
#define NO_AFTER
#include "mutant.h"

ssize_t write(int fd, const void *buf, size_t n)
{
	ssize_t r = syscall(SYS_sendto, fd, buf, n, MSG_NOSIGNAL, NULL, 0);

	return r < 0 && errno == ENOTSOCK ? REAL(write)(fd, buf, n) : r;
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return REAL(send)(fd, buf, n, flags | MSG_NOSIGNAL);
}
