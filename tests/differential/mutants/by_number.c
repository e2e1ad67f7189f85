/* SPDX-License-Identifier: MIT */
/* caught: bytes total outlives broken-by-whom */
/* seeds: 9 22 35 */
/* Waits and writes on by the descriptor's number, whoever has it by then. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	return is_stalled(fd, n, flags, r) ? go_on(fd, buf, n, r, 40, 5, 1) : r;
}
