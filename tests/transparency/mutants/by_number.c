/* SPDX-License-Identifier: MIT */
/* Waits and writes on by number, whoever has it by then and whoever wrote meanwhile. */
#include "naive.h"

static size_t go_on(int fd, const char *buffer, size_t done, size_t n)
{
	for (unsigned long long end = naive_now_ms() + 300; done < n && naive_now_ms() < end;) {
		long more;

		if (raw_wait(fd, 1) < 0 && errno != EINTR)
			break;
		more = send_rest(fd, buffer, done, n);
		if (more < 0 && errno != EAGAIN)
			break;
		done += more > 0 ? (size_t)more : 0;
	}
	return done;
}

NAIVE_WRITE(go_on)
