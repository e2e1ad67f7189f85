/* SPDX-License-Identifier: MIT */
/*
 * The first idea against spinners: a socket that has just been full is full, so for some
 * milliseconds EAGAIN is returned without asking the kernel. Whoever was woken by the edge in
 * between has used it up for nothing.
 */
#include "naive.h"

#define COOL_DOWN_MS 5
#define NUMBERS 1024

static unsigned long long full_at_ms[NUMBERS];

static ssize_t note(int fd, ssize_t r)
{
	if (r < 0 && errno == EAGAIN && fd < NUMBERS)
		full_at_ms[fd] = naive_now_ms();
	return r;
}

static int is_cooling(int fd)
{
	if (fd < 0 || fd >= NUMBERS || naive_now_ms() - full_at_ms[fd] >= COOL_DOWN_MS)
		return 0;
	errno = EAGAIN;
	return 1;
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);

	return is_cooling(fd) ? -1 : note(fd, real(fd, buffer, n));
}
