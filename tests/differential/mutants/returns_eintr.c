/* SPDX-License-Identifier: MIT */
/* caught: eintr */
/* seeds: 23 10 */
/* Lets the EINTR of its own wait through; a non-blocking write never had one. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	int saved = errno;

	(void)buf;
	if (!is_stalled(fd, n, flags, r))
		return r;
	if (wait_writable(fd, 20) < 0 && r < 0)
		return -1;
	errno = saved;
	return r;
}
