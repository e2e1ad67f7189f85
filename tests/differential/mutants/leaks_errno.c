/* SPDX-License-Identifier: MIT */
/* caught: errno-on-success */
/* seeds: 0 1 2 */
/* Asks something that fails, after a success. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	int saved = errno;

	(void)buf, (void)n, (void)flags;
	syscall(SYS_getsockopt, fd, 6, 9999, NULL, NULL);
	if (r < 0)
		errno = saved;
	return r;
}
