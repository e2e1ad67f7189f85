/* SPDX-License-Identifier: MIT */
/* caught: made-up-stall lost-wakeup */
/* seeds: 2 3 15 16 */
/* Hands over half of a large write now and then, though there was room for all ("fairness"). */
#define NO_AFTER
#include "mutant.h"

ssize_t write(int fd, const void *buf, size_t n)
{
	return REAL(write)(fd, buf, n > 8000 && n % 4 == 0 ? n / 2 : n);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return REAL(send)(fd, buf, n > 8000 && n % 4 == 0 ? n / 2 : n, flags);
}
