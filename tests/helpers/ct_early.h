/* SPDX-License-Identifier: MIT */
/* Calls made before the shim's constructor has run, by a program or by another library. */
#ifndef UNSPIN_TESTS_CT_EARLY_H
#define UNSPIN_TESTS_CT_EARLY_H

#include "ct.h"

#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/select.h>

#define EARLY_WRITES 10

CT void *early_thread(void *fd)
{
	MUST(write(*(int *)fd, "thread", 6) == 6);
	return fd;
}

/* A stream pair is used, waited for, duplicated and closed; all of it must work. */
CT void early_calls(void)
{
	struct timespec soon = { 0, 1000000 };
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };
	struct pollfd wanted;
	pthread_t thread;
	fd_set set;
	char text[16];
	int pair[2], epfd, copy;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	MUST(write(pair[0], "abc", 3) == 3 && send(pair[0], "def", 3, 0) == 3);
	MUST(read(pair[1], text, 4) == 4 && recv(pair[1], text, 16, 0) == 2);
	MUST((epfd = epoll_create1(0)) >= 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pair[1], &event) == 0);
	MUST(epoll_wait(epfd, &event, 1, 1) == 0);
	MUST(write(pair[0], "x", 1) == 1);
	MUST(epoll_wait(epfd, &event, 1, -1) == 1 && event.data.u64 == 77);
	wanted = (struct pollfd){ pair[1], POLLIN, 0 };
	MUST(poll(&wanted, 1, -1) == 1 && ppoll(&wanted, 1, &soon, NULL) == 1);
	MUST(soon.tv_nsec == 1000000);
	FD_ZERO(&set);
	FD_SET(pair[1], &set);
	MUST(select(pair[1] + 1, &set, NULL, NULL, NULL) == 1);
	MUST(read(pair[1], text, 16) == 1);
	MUST(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
	MUST(read(pair[1], text, 16) == -1 && errno == EAGAIN);
	MUST(pthread_create(&thread, NULL, early_thread, &pair[0]) == 0);
	MUST(pthread_join(thread, NULL) == 0 && read(pair[1], text, 16) == 6);
	MUST((copy = dup(pair[0])) >= 0 && dup2(pair[1], copy) == copy);
	MUST(shutdown(pair[0], SHUT_WR) == 0 && read(copy, text, 16) == 0);
	MUST(close(copy) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0 && close(epfd) == 0);
}

/* Sockets made early and used late: no record of them was made. */
CT int early_pair[2];

CT void early_open(void)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, early_pair) == 0);
	for (int i = 0; i < EARLY_WRITES; i++)
		MUST(write(early_pair[0], "early", 5) == 5);
}

CT void late_use(void)
{
	for (int i = 0; i < EARLY_WRITES; i++)
		MUST(write(early_pair[0], "late", 4) == 4);
}

#endif
