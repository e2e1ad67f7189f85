/* SPDX-License-Identifier: MIT */
/*
 * Libraries that break one rule each, on purpose: what the differential test must catch. A mutant
 * includes this, says in its first lines
 *
 *	caught: RULE …     the rules one of which must be reported
 *	seeds: N …         seeds that are tried first (all scenes of the fault's kind)
 *
 * and defines `after`, what it does once the real call has returned. Flat output calls only: the
 * fault is the same in the others.
 */
#ifndef DIFFERENTIAL_MUTANT_H
#define DIFFERENTIAL_MUTANT_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Once: dlsym takes a lock, and whoever sleeps before the real call can be overtaken by a close. */
#define REAL(name)                                                                                 \
	({                                                                                         \
		static _Atomic(__typeof__(&name)) real_;                                           \
		if (!real_)                                                                        \
			real_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                        \
		real_;                                                                             \
	})

static inline int is_stalled(int fd, size_t n, int flags, ssize_t r)
{
	if (r >= 0 ? (size_t)r >= n : errno != EAGAIN)
		return 0;
	return flags & MSG_DONTWAIT || syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK;
}

/* Raw, as everything a careful library does by itself; -1 on a signal. */
static inline int wait_writable(int fd, int ms)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	return (int)syscall(SYS_poll, &p, 1, ms);
}

static inline ssize_t send_rest(int fd, const void *buf, size_t n)
{
	return syscall(SYS_sendto, fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

/*
 * The naive blocking write: waits and goes on, slice by slice, for `slices` waits of `ms`, by the
 * descriptor's number. EINTR ends it if told so. Returns what the host is told.
 */
static inline ssize_t go_on(int fd, const char *buf, size_t n, ssize_t r, int slices, int ms,
			    int ends_on_signal)
{
	size_t done = r > 0 ? (size_t)r : 0;
	int saved = errno;

	while (done < n && slices--) {
		int ready = wait_writable(fd, ms);

		if (ready < 0 && ends_on_signal)
			break;
		if (ready <= 0)
			continue;
		r = send_rest(fd, buf + done, n - done);
		if (r < 0 && errno != EAGAIN)
			break;
		done += r > 0 ? (size_t)r : 0;
	}
	errno = saved;
	return done ? (ssize_t)done : -1;
}

#ifndef NO_AFTER
static ssize_t after(int fd, const char *buf, size_t n, int flags, ssize_t r);

ssize_t write(int fd, const void *buf, size_t n)
{
	return after(fd, buf, n, 0, REAL(write)(fd, buf, n));
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return after(fd, buf, n, flags, REAL(send)(fd, buf, n, flags));
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
	       socklen_t bytes)
{
	ssize_t r = REAL(sendto)(fd, buf, n, flags, to, bytes);

	return to ? r : after(fd, buf, n, flags, r);
}

ssize_t __write(int fd, const void *buf, size_t n) __attribute__((alias("write")));
ssize_t __send(int fd, const void *buf, size_t n, int flags) __attribute__((alias("send")));
#endif

#endif
