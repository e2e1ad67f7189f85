/* SPDX-License-Identifier: MIT */
/* caught: total bytes incomplete */
/* seeds: 0 1 2 */
/* After a short count one more try, and "all was sent", whatever it took. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	if (r <= 0 || !is_stalled(fd, n, flags, r))
		return r;
	wait_writable(fd, 2);
	send_rest(fd, buf + r, n - (size_t)r);
	return (ssize_t)n;
}
