/* SPDX-License-Identifier: MIT */
/* caught: total bytes incomplete */
/* seeds: 0 1 2 */
/* After a short count it writes the buffer again, from its beginning. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	ssize_t more;

	if (r <= 0 || !is_stalled(fd, n, flags, r) || wait_writable(fd, 5) != 1)
		return r;
	more = send_rest(fd, buf, n - (size_t)r);
	return more > 0 ? r + more : r;
}
