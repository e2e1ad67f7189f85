/* SPDX-License-Identifier: MIT */
/* Takes EAGAIN for a full socket: with an empty pipe, POLLOUT is true and nothing ever comes. */
#include "naive.h"

ssize_t splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t n, unsigned flags)
{
	REAL(splice);
	ssize_t r = real(in, in_off, out, out_off, n, flags);

	for (unsigned long long end = naive_now_ms() + 50;
	     r < 0 && errno == EAGAIN && naive_now_ms() < end;) {
		raw_wait(out, 5);
		r = real(in, in_off, out, out_off, n, flags);
	}
	return r;
}
