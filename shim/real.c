/* SPDX-License-Identifier: MIT */
#include "real.h"
#include "atomic.h"
#include "guard.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * glibc 2.34 moved dlsym into libc under a new version. The old version name still resolves
 * there, and a weak reference lets the library start where neither exists in the process (glibc
 * before 2.34 without libdl): every call then stays a raw system call, which is correct, only
 * not a cancellation point. Measured: without this line the library needs GLIBC_2.34.
 */
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
#endif
#pragma weak dlsym

/*
 * _NSIG / 8: the kernel's sigset_t, not libc's. As wide as a register: as the seventh argument of
 * syscall() it goes over the stack, where clang leaves the upper half of an int undefined.
 */
#define KERNEL_SIGSET_BYTES ((size_t)8)

/* libc's syscall() sets errno as the function it stands for would. */
#define RAW(...) syscall(__VA_ARGS__)
#define RAW_CHK(n, room, ...) (real_check_room(n, room), RAW(__VA_ARGS__))

/* What the fortified functions do with a read larger than the buffer: the host asked for it. */
static void real_check_room(size_t need, size_t room)
{
	if (need > room)
		__builtin_trap();
}

static int real_raw_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			  const sigset_t *mask)
{
	struct timespec left; /* the kernel writes the remaining time back; libc's does not */

	if (timeout)
		left = *timeout;
	return (int)RAW(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, KERNEL_SIGSET_BYTES);
}

static int real_raw_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t = { timeout / 1000, timeout % 1000 * 1000000L };

	return real_raw_ppoll(fds, n, timeout < 0 ? NULL : &t, NULL);
}

static int real_raw_pselect(int n, fd_set *in, fd_set *out, fd_set *error,
			    const struct timespec *timeout, const sigset_t *mask)
{
	struct {
		const sigset_t *mask;
		size_t bytes;
	} sixth = { mask, KERNEL_SIGSET_BYTES };
	struct timespec left;

	if (timeout)
		left = *timeout;
	return (int)RAW(SYS_pselect6, n, in, out, error, timeout ? &left : NULL, &sixth);
}

static int real_raw_select(int n, fd_set *in, fd_set *out, fd_set *error, struct timeval *timeout)
{
	struct timespec left;
	int r;

	if (!timeout)
		return real_raw_pselect(n, in, out, error, NULL, NULL);
	if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
		errno = EINVAL;
		return -1;
	}
	left.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
	left.tv_nsec = timeout->tv_usec % 1000000 * 1000L;
	r = (int)RAW(SYS_pselect6, n, in, out, error, &left, NULL);
	timeout->tv_sec = left.tv_sec; /* select() on Linux tells the remaining time */
	timeout->tv_usec = left.tv_nsec / 1000;
	return r;
}

static int real_raw_epoll_create(int size)
{
	if (size <= 0) {
		errno = EINVAL;
		return -1;
	}
	return (int)RAW(SYS_epoll_create1, 0);
}

static int real_raw_dup2(int fd, int to)
{
#ifdef SYS_dup2
	return (int)RAW(SYS_dup2, fd, to);
#else
	if (fd == to)
		return RAW(SYS_fcntl, fd, F_GETFD) < 0 ? -1 : fd;
	return (int)RAW(SYS_dup3, fd, to, 0);
#endif
}

typedef int (*pthread_create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* No system call makes a pthread: a thread started before our constructor looks the original up. */
static int real_late_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
				    void *(*start)(void *), void *argument)
{
	pthread_create_fn original = NULL;

	if (dlsym)
		original = (pthread_create_fn)dlsym(RTLD_NEXT, "pthread_create");
	return original ? original(thread, attr, start, argument) : EAGAIN;
}

#define SYM(class, ret, name, params, args, raw) \
	static ret raw_##name params             \
	{                                        \
		return raw;                      \
	}
#include "symbols.def"

struct real real = {
#define SYM(class, ret, name, params, args, raw) .name = raw_##name,
#include "symbols.def"
};

int (*real_find_object)(void *, struct frame_object *);

void real_resolve(void)
{
	void *found;

	if (!dlsym)
		return;
#define SYM(class, ret, name, params, args, raw)                      \
	found = dlsym(RTLD_NEXT, #name);                              \
	if (found)                                                    \
		__atomic_store_n((void **)&real.name, found, __ATOMIC_RELEASE);
#include "symbols.def"
	found = dlsym(RTLD_DEFAULT, "_dl_find_object");
	real_find_object = (int (*)(void *, struct frame_object *))found;
}
