/* SPDX-License-Identifier: MIT */
/*
 * The library's own system calls: raw, so that they are no cancellation points, never reach a
 * wrapper (ours or another preload's), and leave errno alone. Each returns what the kernel
 * returned: a result >= 0 or -errno. Safe anywhere, signal handlers and vfork children included.
 */
#ifndef UNSPIN_SYS_H
#define UNSPIN_SYS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#else
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long result = syscall(nr, a, b, c, d, e, f);

	if (result == -1)
		result = -errno;
	errno = saved;
	return result;
}
#endif

#define SYS_ARG(x) ((long)(x))
#define sys_call(nr, a, b, c, d, e, f) \
	sys_call6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))

/* Does this -errno mean "never here" (a filter, an old kernel), and not "not on this descriptor"? */
static inline int sys_is_refusal(long result)
{
	return result == -EPERM || result == -EACCES || result == -ENOSYS || result == -ENOPROTOOPT;
}

static inline int sys_getpid(void)
{
	return (int)sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int sys_gettid(void)
{
	return (int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/*
 * CPU time a thread of this process (tid), or the whole of another one (tid 0), has used; 0: there
 * is none, or one may not ask. No descriptor: the number makes the clock (clock_getcpuclockid(3)).
 */
uint64_t sys_cpu_of(int pid, int tid);

/* The vDSO's clock; touches errno only where there is no vDSO, and then only on failure. */
static inline uint64_t sys_now_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t sys_now(void)
{
	return sys_now_ns(CLOCK_MONOTONIC);
}

/* 0 or -errno; *bytes is updated to the length the kernel filled in. */
int sys_getsockopt(int fd, int level, int option, void *value, unsigned *bytes);

/* The integer option's value, or -errno. */
int sys_sockopt_int(int fd, int level, int option);

int sys_setsockopt_int(int fd, int level, int option, int value);

/* SO_COOKIE (Linux 4.12): the same through dup, a new one for every socket. 0: not a socket. */
uint64_t sys_cookie(int fd);

/* 1 or 0, or -errno. Never cached: the host changes it by fcntl or ioctl. */
int sys_is_nonblocking(int fd);

/* 1 when a write would be accepted now (poll says POLLOUT), 0 when not or not known. */
int sys_is_writable(int fd);

/* How often this thread has gone to sleep, and was driven from its processor, so far; or -errno. */
long sys_thread_switches(uint64_t *ret_sleeps, uint64_t *ret_preemptions);

/* How often this thread has gone to sleep of its own will so far (Linux 2.6.26). */
uint64_t sys_thread_sleeps(void);

#endif
