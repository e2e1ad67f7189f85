/* SPDX-License-Identifier: MIT */
/* caught: sigpipe */
/* seeds: 9 22 35 */
/* Its own retry after a short count meets the reset and raises what the host did not earn. */
#include "mutant.h"

static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r)
{
	size_t done = r > 0 ? (size_t)r : 0;
	int saved = errno;

	if (!is_stalled(fd, n, flags, r))
		return r;
	for (int slices = 0; slices < 40 && done < n; slices++) {
		if (wait_writable(fd, 5) <= 0)
			continue;
		r = syscall(SYS_sendto, fd, buf + done, n - done, MSG_DONTWAIT, NULL, 0);
		done += r > 0 ? (size_t)r : 0;
	}
	errno = saved;
	return done ? (ssize_t)done : -1;
}
