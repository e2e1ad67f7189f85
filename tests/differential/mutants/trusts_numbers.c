/* SPDX-License-Identifier: MIT */
/* caught: trace errno */
/* seeds: 0 1 2 3 */
/* Remembers which numbers are sockets, and believes that every end of one is seen. */
#define NO_AFTER
#include "mutant.h"

static unsigned char is_socket[4096];

int accept4(int fd, struct sockaddr *peer, socklen_t *bytes, int flags)
{
	int r = REAL(accept4)(fd, peer, bytes, flags);

	if (r >= 0)
		is_socket[r] = 1;
	return r;
}

int close(int fd)
{
	if (fd >= 0 && fd < 4096)
		is_socket[fd] = 0;
	return REAL(close)(fd);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	if (fd >= 0 && fd < 4096 && is_socket[fd])
		return REAL(send)(fd, buf, n, 0);
	return REAL(write)(fd, buf, n);
}
