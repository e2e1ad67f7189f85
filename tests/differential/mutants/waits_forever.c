/* SPDX-License-Identifier: MIT */
/* caught: hang outlives held */
/* seeds: 9 22 35 */
/* Blocks until everything is written, however long the client takes. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	return is_stalled(fd, n, flags, r) ? go_on(fd, buf, n, r, 1 << 30, 1000, 1) : r;
}
