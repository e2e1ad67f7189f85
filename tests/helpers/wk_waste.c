/* SPDX-License-Identifier: MIT */
/*
 * Provokes known numbers of useless wake-ups, by two threads, on two sets and two sockets each, and
 * says of each thread, set and socket how many.
 *	wk_waste
 * `fact WHAT:WHICH:NUMBER COUNT`: WHICH is thread, set or socket, NUMBER its tid or descriptor.
 */
#include "ct.h"

#include <sys/epoll.h>

static struct epoll_event events[8];

static void add(int set, int fd, uint32_t mask)
{
	struct epoll_event event = { .events = mask, .data.fd = fd };

	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void say(const char *what, const char *which, int number, unsigned count)
{
	printf("fact %s:%s:%d %u\n", what, which, number, count);
}

static int this_thread(void)
{
	return (int)syscall(SYS_gettid);
}

/* EPOLLOUT delivered n times and left; the write after them uses the last. */
static unsigned unused_out(unsigned n)
{
	int pair[2], set = epoll_create1(0);

	tcp_pair(0, pair);
	add(set, pair[0], EPOLLOUT);
	for (unsigned i = 0; i <= n; i++)
		MUST(epoll_wait(set, events, 8, 1000) == 1);
	MUST(write(pair[0], "x", 1) == 1);
	MUST(epoll_ctl(set, EPOLL_CTL_DEL, pair[0], NULL) == 0);
	say("unused_out", "set", set, n);
	say("unused_out", "socket", pair[0], n);
	return n;
}

/* Something to read was told of n times, and gone by the first read: of all, by_poll by poll. */
static unsigned dry_in(unsigned n, unsigned by_poll)
{
	int pair[2], set = epoll_create1(0);
	struct pollfd in;
	char c;

	tcp_pair(0, pair);
	add(set, pair[0], EPOLLIN);
	in = (struct pollfd){ pair[0], POLLIN, 0 };
	for (unsigned i = 0; i < n; i++) {
		MUST(syscall(SYS_write, pair[1], "x", 1) == 1);
		if (i < by_poll)
			MUST(poll(&in, 1, 1000) == 1);
		else
			MUST(epoll_wait(set, events, 8, 1000) == 1);
		MUST(syscall(SYS_recvfrom, pair[0], &c, 1, 0, NULL, NULL) == 1);
		MUST(recv(pair[0], &c, 1, 0) == -1 && errno == EAGAIN);
	}
	say("dry_in", "set", set, n - by_poll);
	say("dry_in", "socket", pair[0], n);
	return n;
}

/* A connection was told of n times, and taken by somebody else. */
static unsigned herd(unsigned n)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address), set = epoll_create1(0);

	set_nonblocking(listener);
	add(set, listener, EPOLLIN);
	for (unsigned i = 0; i < n; i++) {
		int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

		MUST(syscall(SYS_connect, fd, &address, sizeof(address)) == 0);
		MUST(epoll_wait(set, events, 8, 1000) == 1);
		MUST(syscall(SYS_accept4, listener, NULL, NULL, 0) >= 0);
		MUST(accept4(listener, NULL, NULL, 0) == -1 && errno == EAGAIN);
	}
	say("herd_accepts", "set", set, n);
	say("herd_accepts", "socket", listener, n);
	return n;
}

/* Polls that find nothing: the first look is no waste. A thread that is kept from running between
 * two (20 us) has its next counted as a first look: at most so many, and nearly so many. */
static unsigned idle(unsigned n)
{
	int set = epoll_create1(0);

	for (unsigned i = 0; i <= n; i++)
		MUST(epoll_wait(set, events, 8, 0) == 0);
	MUST(epoll_wait(set, events, 8, 20) == 0); /* a timer: what follows is a first look again */
	say("idle_polls", "set", set, n);
	return n;
}

static uint32_t is_done;

static void waste(unsigned n)
{
	say("unused_out", "thread", this_thread(), unused_out(23 + n) + unused_out(5 + n));
	say("dry_in", "thread", this_thread(), dry_in(23 + n, 4) + dry_in(7 + n, 0));
	say("herd_accepts", "thread", this_thread(), herd(23 + n) + herd(3 + n));
	say("idle_polls", "thread", this_thread(), idle(230 + n) + idle(50 + n));
}

/* Does not end: its row stays in the file. */
static void *waste_and_stay(void *unused)
{
	waste(100);
	__atomic_store_n(&is_done, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return unused;
}

int main(void)
{
	pthread_t thread;

	waste(0);
	MUST(pthread_create(&thread, NULL, waste_and_stay, NULL) == 0);
	while (!__atomic_load_n(&is_done, __ATOMIC_ACQUIRE))
		sleep_us(1000);
	return 0;
}
