/* SPDX-License-Identifier: MIT */
/*
 * Holds a thread at one of its system calls until the scene lets it go on: races of a few
 * instructions become plays in a fixed order. By a seccomp filter of that thread alone whose
 * listener (SECCOMP_RET_USER_NOTIF, Linux 5.5) another thread serves; the call itself is then
 * made by the kernel exactly as the thread wanted it.
 */
#ifndef UNSPIN_TESTS_TR_HOLD_H
#define UNSPIN_TESTS_TR_HOLD_H

#include "tr.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#define SKIP 77

/* The calling thread will be held at these two calls (the same twice: at one). */
TR int hold_at(int nr, int also)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)also, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 5, code };
	long fd;

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		     &program);
	if (fd < 0) {
		printf("skip no seccomp listener: %s\n", strerror(errno));
		fflush(stdout);
		_exit(SKIP);
	}
	return (int)fd;
}

struct held {
	int listener;
	uint64_t id;
	int nr;
};

/* Waits until the thread stands at a call; 0: it did not within the time. */
TR int held_wait(int listener, int ms, struct held *ret)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct seccomp_notif notification;

	if (syscall(SYS_poll, &p, 1, ms) != 1 || !(p.revents & POLLIN))
		return 0;
	memset(&notification, 0, sizeof(notification));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification))
		return 0;
	*ret = (struct held){ listener, notification.id, notification.data.nr };
	return 1;
}

TR void held_go(const struct held *held)
{
	struct seccomp_notif_resp response = {
		.id = held->id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	/* ENOENT: a signal has ended the call. */
	MUST(ioctl(held->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 || errno == ENOENT);
}

#endif
