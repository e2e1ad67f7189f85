/* SPDX-License-Identifier: MIT */
/* Looks at the clock only when there is no room: a reader that makes a little at a time is waited
 * for without end, and every call of a turn anew. */
#include "naive.h"

static size_t go_on(int fd, const char *buffer, size_t done, size_t n)
{
	while (done < n && raw_wait(fd, 40) == 1) {
		long more = send_rest(fd, buffer, done, n);

		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	return done;
}

NAIVE_WRITE(go_on)
