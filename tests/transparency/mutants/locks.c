/* SPDX-License-Identifier: MIT */
/* Guards retry and close with a mutex: a forked child inherits it locked. */
#include "naive.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t go_on(int fd, const char *buffer, size_t done, size_t n)
{
	REAL(write);

	pthread_mutex_lock(&lock);
	while (done < n && raw_wait(fd, 100) == 1) {
		ssize_t r = real(fd, buffer + done, n - done);

		done += r > 0 ? (size_t)r : 0;
	}
	pthread_mutex_unlock(&lock);
	return done;
}

NAIVE_WRITE(go_on)

int close(int fd)
{
	REAL(close);
	int r;

	pthread_mutex_lock(&lock);
	r = real(fd);
	pthread_mutex_unlock(&lock);
	return r;
}
