/* SPDX-License-Identifier: MIT */
/* Guards retry and close with a mutex: a forked child inherits it locked. */
#include "naive.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

ssize_t write(int fd, const void *buffer, size_t n)
{
	REAL(write);
	ssize_t r = real(fd, buffer, n);
	size_t done = r > 0 ? (size_t)r : 0;

	if (!is_stalled(fd, r, n))
		return r;
	pthread_mutex_lock(&lock);
	while (done < n && raw_wait(fd, 100) == 1) {
		r = real(fd, (const char *)buffer + done, n - done);
		done += r > 0 ? (size_t)r : 0;
	}
	pthread_mutex_unlock(&lock);
	errno = EAGAIN;
	return done ? (ssize_t)done : -1;
}

int close(int fd)
{
	REAL(close);
	int r;

	pthread_mutex_lock(&lock);
	r = real(fd);
	pthread_mutex_unlock(&lock);
	return r;
}
