/* SPDX-License-Identifier: MIT */
/* caught: interleaved bytes */
/* seeds: 23 10 */
/* A signal interrupts the wait, its handler writes, and then the rest of the call follows. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	return is_stalled(fd, n, flags, r) ? go_on(fd, buf, n, r, 60, 1, 0) : r;
}
