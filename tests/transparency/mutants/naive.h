/* SPDX-License-Identifier: MIT */
/*
 * What the mutants share. A mutant is a preload library that goes on with stalled writes as one
 * would at first: each breaks one rule of shim/retry.h, and one test must catch it.
 */
#ifndef UNSPIN_TESTS_NAIVE_H
#define UNSPIN_TESTS_NAIVE_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NAIVE __attribute__((unused)) static

/* The function a wrapper stands before. */
#define REAL(name)                                                             \
	static __typeof__(name) *real;                                         \
	if (!real)                                                             \
		real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* A stream socket the host made non-blocking, and the call left something to send. */
NAIVE int is_stalled(int fd, ssize_t r, size_t n)
{
	int type = 0, saved = errno;
	socklen_t bytes = sizeof(type);
	int is_ours = (r < 0 ? saved == EAGAIN : (size_t)r < n) &&
		      !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) && type == SOCK_STREAM &&
		      (fcntl(fd, F_GETFL) & O_NONBLOCK);

	errno = saved;
	return is_ours;
}

NAIVE unsigned long long naive_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000;
}

/* poll() by raw system call, as the library does. */
NAIVE int raw_wait(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return (int)syscall(SYS_poll, &p, 1, ms);
}

/* The rest of n bytes of which `done` are sent, by raw system call. */
NAIVE long send_rest(int fd, const char *buffer, size_t done, size_t n)
{
	return syscall(SYS_sendto, fd, buffer + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
		       0);
}

/*
 * A write() that goes on. go_on(fd, buffer, done, n) is the mutant's own way: it is told how many
 * bytes are sent and returns how many are sent then.
 */
#define NAIVE_WRITE(go_on)                                                     \
	ssize_t write(int fd, const void *buffer, size_t n)                    \
	{                                                                      \
		REAL(write);                                                   \
		ssize_t r = real(fd, buffer, n);                               \
		size_t done;                                                   \
                                                                               \
		if (!is_stalled(fd, r, n))                                     \
			return r;                                              \
		done = go_on(fd, buffer, r > 0 ? (size_t)r : 0, n);            \
		errno = EAGAIN;                                                \
		return done ? (ssize_t)done : -1;                              \
	}

#endif
