/* SPDX-License-Identifier: MIT */
/* caught: reset-first */
/* seeds: 9 22 35 */
/* Meets the reset in its own retry, returns the bytes sent before, and forgets the error. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	return is_stalled(fd, n, flags, r) ? go_on(fd, buf, n, r, 20, 5, 1) : r;
}
