/* SPDX-License-Identifier: MIT */
/*
 * What the programs about an armed EPOLLOUT share: registrations of which the program keeps its own
 * account, compared with what the kernel says (/proc/self/fdinfo), and a reactor.
 */
#ifndef UNSPIN_TESTS_CT_MASK_H
#define UNSPIN_TESTS_CT_MASK_H

#include "ct.h"
#include "ct_filter.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define BOTH (EPOLLIN | EPOLLOUT)
#define FDS  256

static int epfd;
static struct epoll_event events[64];
static int max_events = 64, timeout_ms = -1;

/* The set holds what poll() would tell of otherwise: so its registrations are what is changed. */
static int must_change;

/* What this program has registered: by set and descriptor. */
static struct {
	int is_on;
	uint32_t mask;
	uint64_t data;
} own[FDS][FDS];

CT uint64_t data_of(int fd)
{
	return 0xabcd00000000ull | (uint64_t)fd;
}

CT void ctl_data(int set, int op, int fd, uint32_t mask, uint64_t data)
{
	struct epoll_event event = { .events = mask, .data.u64 = data };

	errno = 99;
	MUST(epoll_ctl(set, op, fd, &event) == 0 && errno == 99);
	own[set][fd].is_on = op != EPOLL_CTL_DEL;
	own[set][fd].mask = mask;
	own[set][fd].data = data;
}

CT void ctl(int set, int op, int fd, uint32_t mask)
{
	ctl_data(set, op, fd, mask, data_of(fd));
}

/* The kernel's account of one set. ret_masks may be NULL. Returns how many registrations. */
CT int registered(int set, uint32_t *ret_masks, uint64_t *ret_data)
{
	char path[64], line[256];
	int n = 0, fd;
	unsigned mask;
	unsigned long long data;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", set);
	f = fopen(path, "re");
	MUST(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "tfd: %d events: %x data: %llx", &fd, &mask, &data) == 3) {
			MUST(fd >= 0 && fd < FDS);
			ret_masks[fd] = mask & ~(uint32_t)(EPOLLERR | EPOLLHUP);
			ret_data[fd] = data;
			n++;
		}
	fclose(f);
	return n;
}

/*
 * What the kernel has is what the program asked for: of one descriptor, or (-1) of all, when nobody
 * waits.
 */
CT void check_own(int set, int only)
{
	uint32_t masks[FDS] = { 0 };
	uint64_t data[FDS] = { 0 };
	int n = registered(set, masks, data), count = 0;

	for (int fd = 0; fd < FDS; fd++) {
		count += own[set][fd].is_on;
		if (!own[set][fd].is_on || (only >= 0 && fd != only))
			continue;
		if (masks[fd] != own[set][fd].mask || data[fd] != own[set][fd].data)
			die("descriptor %d in set %d: mask %x data %llx, registered %x %llx", fd,
			    set, masks[fd], (unsigned long long)data[fd], own[set][fd].mask,
			    (unsigned long long)own[set][fd].data);
	}
	if (n != count)
		die("%d registrations in set %d, made %d", n, set, count);
}

/* Waits until the descriptor is masked in the set; 0: it was not, for 300 ms. */
CT int see_masked(int set, int fd)
{
	uint64_t end = now_ns() + 300000000;

	while (now_ns() < end) {
		uint32_t masks[FDS] = { 0 };
		uint64_t data[FDS];

		registered(set, masks, data);
		if (own[set][fd].mask && masks[fd] == (own[set][fd].mask & ~(uint32_t)EPOLLOUT))
			return 1;
		sleep_us(100);
	}
	return 0;
}

/* One wait, each time by another of the three calls. */
CT int look(int set)
{
	static __thread unsigned turn;
	struct timespec t = { timeout_ms / 1000, timeout_ms % 1000 * 1000000 };
	int n;

	errno = 99;
	switch (turn++ % 3) {
	case 0:
		n = epoll_wait(set, events, max_events, timeout_ms);
		break;
	case 1:
		n = epoll_pwait(set, events, max_events, timeout_ms, NULL);
		break;
	default:
		n = epoll_pwait2(set, events, max_events, timeout_ms < 0 ? NULL : &t, NULL);
	}
	MUST(n < 0 ? errno == EINTR : errno == 99);
	MUST(n != 0 || timeout_ms >= 0);
	return n;
}

/* A reactor that leaves EPOLLOUT armed and has nothing to write; it reads what comes. */
static volatile int stop;
static volatile uint64_t rounds;
static volatile uint32_t outs[FDS]; /* EPOLLOUT events by the low byte of the data */

CT void *reactor(void *unused)
{
	(void)unused;
	while (!stop) {
		int n = look(epfd);

		rounds++;
		for (int i = 0; i < n; i++) {
			int fd = (int)(events[i].data.u64 % FDS);
			char text[4096];

			if (events[i].events & EPOLLOUT)
				outs[fd]++;
			if (events[i].events & EPOLLIN)
				MUST(recv(fd, text, sizeof(text), MSG_DONTWAIT) != 0 || errno);
		}
	}
	return NULL;
}

/* A set with so many sockets whose EPOLLOUT is armed; pairs[i][0] are registered. */
static int pairs[FDS][2];

CT void prepare(int sockets, uint32_t mask)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	MUST(epfd >= 0);
	for (int i = 0; i < sockets; i++) {
		tcp_pair(0, pairs[i]);
		ctl(epfd, EPOLL_CTL_ADD, pairs[i][0], mask);
	}
	if (must_change)
		ctl(epfd, EPOLL_CTL_ADD, eventfd(0, EFD_CLOEXEC), EPOLLIN | EPOLLET);
}

CT pthread_t begin(void *(*run)(void *))
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, run, NULL) == 0);
	return thread;
}

CT void end(pthread_t thread)
{
	stop = 1;
	MUST(pthread_join(thread, NULL) == 0);
}

#endif
