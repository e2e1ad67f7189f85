/* SPDX-License-Identifier: MIT */
/* Part of ct_errno.c: the cases of the class WAIT. */
#ifndef UNSPIN_TESTS_CT_ERRNO_WAIT_H
#define UNSPIN_TESTS_CT_ERRNO_WAIT_H

#include "ct_errno.h"

static void watch(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	MUST(epoll_ctl(f.epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* CALL is an expression of epfd, events, max and ms. */
#define EPOLLS(CALL)                                                              \
	do {                                                                      \
		struct epoll_event room[8], *events = room;                       \
		int epfd = f.epoll, max = 8, ms = 0;                              \
		T("nothing", CALL);                                               \
		watch(f.tcp, EPOLLIN | EPOLLOUT), watch(f.listener, EPOLLIN);     \
		watch(f.full, EPOLLOUT), watch(f.reset, EPOLLIN);                 \
		T("two", CALL);                                                   \
		max = 1, T("one", CALL);                                          \
		max = 0, T("no_room", CALL), max = 8;                             \
		events = BAD, T("fault", CALL), events = room;                    \
		epfd = f.tcp, T("no_epoll", CALL);                                \
		epfd = -1, T("negative", CALL), epfd = f.epoll;                   \
		epoll_ctl(epfd, EPOLL_CTL_DEL, f.tcp, NULL);                      \
		epoll_ctl(epfd, EPOLL_CTL_DEL, f.reset, NULL);                    \
		ms = 5, T("timeout", CALL);                                       \
		ms = -1, T_INTERRUPTED(CALL);                     \
	} while (0)

static struct timespec *span(int ms)
{
	static struct timespec t;

	t = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
	return ms < 0 ? NULL : &t;
}

void case_epoll_wait(void) { EPOLLS(epoll_wait(epfd, events, max, ms)); }
void case_epoll_pwait(void)
{
	sigset_t none;

	sigemptyset(&none);
	EPOLLS(epoll_pwait(epfd, events, max, ms, &none));
	T("bad_mask", epoll_pwait(f.epoll, BAD, 1, 0, BAD));
}
void case_epoll_pwait2(void)
{
	struct epoll_event event;

	EPOLLS(epoll_pwait2(epfd, events, max, span(ms), NULL));
	T("bad_timeout", epoll_pwait2(f.epoll, &event, 1, BAD, NULL));
	T("odd_timeout", epoll_pwait2(f.epoll, &event, 1,
				      &(struct timespec){ 0, 2000000000 }, NULL));
}

/* CALL is an expression of fds, n and ms. */
#define POLLS(CALL)                                                                         \
	do {                                                                                \
		struct pollfd room[5] = { { f.tcp, POLLIN | POLLOUT, 0 },                   \
					  { f.full, POLLOUT, 0 },                           \
					  { f.reset, POLLIN, 0 },                           \
					  { 99, POLLIN, 0 },                                \
					  { -1, POLLIN, 0 } },                              \
			      *fds = room;                                                  \
		nfds_t n = 5;                                                               \
		int ms = 0;                                                                 \
		T("three", CALL);                                                           \
		for (int i = 0; i < 5; i++)                                                 \
			T("revents", room[i].revents);                                      \
		n = 0, T("none", CALL);                                                     \
		n = 5, fds = BAD, T("fault", CALL);                                         \
		fds = room + 1, n = 1, ms = 5, T("timeout", CALL);                          \
		ms = -1, T_INTERRUPTED(CALL);                               \
	} while (0)

void case_poll(void) { POLLS(poll(fds, n, ms)); }
void case___poll(void) { POLLS(__poll(fds, n, ms)); }
void case___poll_chk(void) { POLLS(__poll_chk(fds, n, ms, sizeof(room))); }
void case_ppoll(void)
{
	struct timespec left = { 0, 3000000 };

	POLLS(ppoll(fds, n, span(ms), NULL));
	T("timeout_is_kept", ppoll(NULL, 0, &left, NULL));
	T("left", left.tv_nsec);
	T("odd_timeout", ppoll(NULL, 0, &(struct timespec){ 0, -1 }, NULL));
}
void case___ppoll_chk(void) { POLLS(__ppoll_chk(fds, n, span(ms), NULL, sizeof(room))); }

#define SELECTS(CALL)                                                                      \
	do {                                                                               \
		fd_set a, b, *in = &a, *out = &b;                                          \
		int n = f.fresh + 1, ms = 0;                                               \
		FD_ZERO(&a); FD_ZERO(&b);                                                  \
		FD_SET(f.reset, &a); FD_SET(f.tcp, &a); FD_SET(f.tcp, &b);                 \
		FD_SET(f.full, &b);                                                        \
		T("two", CALL);                                                            \
		T("in", FD_ISSET(f.reset, &a) * 2 + FD_ISSET(f.tcp, &a));                  \
		T("out", FD_ISSET(f.full, &b) * 2 + FD_ISSET(f.tcp, &b));                  \
		FD_ZERO(&a); FD_SET(99, &a); n = 100; T("closed", CALL);                   \
		n = -1, T("negative", CALL);                                               \
		in = BAD, n = 10, T("fault", CALL);                                        \
		in = out = NULL, n = 0, ms = 5, T("timeout", CALL);                        \
		ms = 2000, T_INTERRUPTED(CALL);                            \
	} while (0)

static struct timeval *val(int ms)
{
	static struct timeval t;

	t = (struct timeval){ ms / 1000, ms % 1000 * 1000L };
	return &t;
}

void case_select(void)
{
	struct timeval left = { 0, 3000 };

	SELECTS(select(n, in, out, NULL, val(ms)));
	T("timeout_is_used_up", select(0, NULL, NULL, NULL, &left));
	T("left", left.tv_usec);
	T("odd_timeout", select(0, NULL, NULL, NULL, &(struct timeval){ -1, 0 }));
}
void case___select(void) { SELECTS(__select(n, in, out, NULL, val(ms))); }
void case_pselect(void)
{
	struct timespec left = { 0, 3000000 };

	SELECTS(pselect(n, in, out, NULL, span(ms), NULL));
	T("timeout_is_kept", pselect(0, NULL, NULL, NULL, &left, NULL));
	T("left", left.tv_nsec);
}

#endif
