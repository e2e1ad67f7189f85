/* SPDX-License-Identifier: MIT */
#include "sys.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

int sys_getsockopt(int fd, int level, int option, void *value, unsigned *bytes)
{
	return (int)sys_call(SYS_getsockopt, fd, level, option, value, bytes, 0);
}

int sys_sockopt_int(int fd, int level, int option)
{
	int value = 0;
	unsigned bytes = sizeof(value);
	int r = sys_getsockopt(fd, level, option, &value, &bytes);

	return r < 0 ? r : value;
}

int sys_setsockopt_int(int fd, int level, int option, int value)
{
	return (int)sys_call(SYS_setsockopt, fd, level, option, &value, sizeof(value), 0);
}

uint64_t sys_cookie(int fd)
{
	uint64_t cookie = 0;
	unsigned bytes = sizeof(cookie);

	return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes) < 0 ? 0 : cookie;
}

int sys_is_nonblocking(int fd)
{
	long flags = sys_call(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);

	return flags < 0 ? (int)flags : (flags & O_NONBLOCK) != 0;
}

int sys_is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec now = { 0, 0 };

	return sys_call(SYS_ppoll, &p, 1, &now, NULL, 8, 0) == 1 && (p.revents & POLLOUT);
}

uint64_t sys_cpu_of(int pid, int tid)
{
	/* CPUCLOCK_SCHED, CPUCLOCK_PERTHREAD_MASK of the kernel's posix-timers.h */
	long clock = tid ? (~(long)tid << 3) | 4 | 2 : (~(long)pid << 3) | 2;
	struct timespec t = { 0, 0 };

	if (sys_call(SYS_clock_gettime, (int)clock, &t, 0, 0, 0, 0) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

long sys_thread_switches(uint64_t *ret_sleeps, uint64_t *ret_preemptions)
{
	struct rusage usage;
	long r = sys_call(SYS_getrusage, RUSAGE_THREAD, &usage, 0, 0, 0, 0);

	if (r < 0)
		return r;
	*ret_sleeps = (uint64_t)usage.ru_nvcsw;
	*ret_preemptions = (uint64_t)usage.ru_nivcsw;
	return 0;
}

uint64_t sys_thread_sleeps(void)
{
	uint64_t sleeps, preemptions;

	return sys_thread_switches(&sleeps, &preemptions) < 0 ? 0 : sleeps;
}
