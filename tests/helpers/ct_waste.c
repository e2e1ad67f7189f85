/* SPDX-License-Identifier: MIT */
/*
 * Calls for nothing, each kind from a function of its own.
 *	ct_waste SCENARIO
 * `fact FUNCTION:address A` says where each begins. One processor, no client: what is ready stays so.
 */
#include "ct.h"

#include <sys/epoll.h>

#define PAIRS 8
#define WINDOWS 1024 /* waits that surely contain the end of one window and the whole of the next */

/* A socket is in both sets; the library follows its latest registration, that in the second. */
static int pairs[PAIRS][2], sets[2];
static struct epoll_event events[PAIRS];

/* Not inlined, and no jump at their end: the call returns into them. */
#define PLACE static __attribute__((noinline)) int
#define STAY(call)                             \
	int r = (call);                        \
	__asm__ volatile("" ::: "memory");     \
	return r

PLACE wait_here(int set, int max, int timeout)
{
	STAY(epoll_wait(set, events, max, timeout));
}

PLACE wait_there(int set, int max, int timeout)
{
	STAY(epoll_wait(set, events, max, timeout));
}

PLACE wait_elsewhere(int set, int max, int timeout)
{
	STAY(epoll_wait(set, events, max, timeout));
}

PLACE poll_here(struct pollfd *fd)
{
	STAY(poll(fd, 1, 0));
}

PLACE read_here(int fd)
{
	char c;

	STAY((int)read(fd, &c, 1));
}

PLACE recv_here(int fd)
{
	char c;

	STAY((int)recv(fd, &c, 1, 0));
}

PLACE accept_here(int fd)
{
	STAY(accept4(fd, NULL, NULL, 0));
}

static void tell(void)
{
#define TELL(name) fact(#name ":address", (uint64_t)(uintptr_t)name)
	TELL(wait_here);
	TELL(wait_there);
	TELL(wait_elsewhere);
	TELL(poll_here);
	TELL(read_here);
	TELL(recv_here);
	TELL(accept_here);
}

static void begin(uint32_t mask, int has_data)
{
	tell();
	for (int s = 0; s < 2; s++)
		sets[s] = epoll_create1(0);
	for (int i = 0; i < PAIRS; i++) {
		struct epoll_event event = { .events = mask, .data.fd = 0 };

		tcp_pair(0, pairs[i]);
		event.data.fd = pairs[i][0];
		for (int s = 0; s < 2; s++)
			MUST(epoll_ctl(sets[s], EPOLL_CTL_ADD, pairs[i][0], &event) == 0);
		if (has_data)
			MUST(syscall(SYS_write, pairs[i][1], "x", 1) == 1);
	}
	fact("first", (uint64_t)sets[0]);
	fact("second", (uint64_t)sets[1]);
}

static void many(int (*wait)(int, int, int), int set, int max, int count)
{
	for (int i = 0; i < count; i++)
		MUST(wait(set, max, -1) == max);
}

/* Of waits that never have to sleep those with few events: 2300 on two sets from two places. */
static void thin(void)
{
	begin(EPOLLIN, 1);
	many(wait_elsewhere, sets[0], PAIRS, WINDOWS);
	for (int i = 0; i < 23; i++) {
		many(wait_here, sets[0], 1, 40);
		many(wait_there, sets[1], 3, 50);
		many(wait_elsewhere, sets[1], 4, 20); /* enough */
		many(wait_elsewhere, sets[0], 2, 10);
	}
	many(wait_elsewhere, sets[0], PAIRS, WINDOWS);
}

/* One event at a time, but there is nothing else to do: a millisecond passes. */
static void calm(void)
{
	begin(EPOLLIN, 1);
	for (int i = 0; i < 800; i++) {
		many(wait_here, sets[0], 1, 1);
		sleep_us(1000);
	}
}

/* "Writable", which nobody uses, is no thin wait. */
static void outs(void)
{
	begin(EPOLLOUT, 0);
	many(wait_here, sets[1], 1, WINDOWS);
	many(wait_there, sets[1], 1, WINDOWS);
}

/* Every second wait is of use. */
static void outs_of_one(void)
{
	begin(EPOLLOUT, 0);
	for (int i = 0; i < 500; i++) {
		many(wait_here, sets[1], PAIRS, 1);
		many(wait_there, sets[1], PAIRS, 1);
		MUST(write(pairs[0][0], "x", 1) == 1);
	}
}

static void idle(void)
{
	struct pollfd in;

	begin(EPOLLIN, 0);
	in = (struct pollfd){ pairs[0][0], POLLIN, 0 };
	for (int i = 0; i < 300; i++)
		MUST(wait_here(sets[0], 1, 0) == 0);
	for (int i = 0; i < 300; i++)
		MUST(wait_there(sets[0], 1, 0) == 0);
	for (int i = 0; i < 300; i++)
		MUST(wait_elsewhere(sets[1], 1, 0) == 0);
	for (int i = 0; i < 300; i++)
		MUST(poll_here(&in) == 0);
}

static void dry(void)
{
	struct sockaddr_in address;
	struct epoll_event event = { .events = EPOLLIN };
	int listener = tcp_listener(&address);
	char c;

	begin(EPOLLIN, 0);
	for (int i = 0; i < 23; i++) {
		MUST(syscall(SYS_write, pairs[0][1], "x", 1) == 1 && wait_here(sets[1], 1, -1) == 1);
		MUST(syscall(SYS_recvfrom, pairs[0][0], &c, 1, 0, NULL, NULL) == 1);
		MUST((i < 20 ? read_here(pairs[0][0]) : recv_here(pairs[0][0])) == -1);
	}
	fact("dry", (uint64_t)pairs[0][0]);
	set_nonblocking(listener);
	MUST(epoll_ctl(sets[1], EPOLL_CTL_ADD, listener, &event) == 0);
	for (int i = 0; i < 5; i++) {
		int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

		MUST(syscall(SYS_connect, fd, &address, sizeof(address)) == 0);
		MUST(wait_here(sets[1], 1, -1) == 1);
		MUST(syscall(SYS_accept4, listener, NULL, NULL, 0) >= 0);
		MUST(accept_here(listener) == -1 && errno == EAGAIN);
	}
}

/* More sets in one window than are told apart: what is too many is of the thread alone. */
static void crowd(void)
{
	int set[PAIRS];

	begin(EPOLLIN, 1);
	for (int s = 0; s < PAIRS; s++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = pairs[0][0] };

		set[s] = epoll_create1(0);
		MUST(epoll_ctl(set[s], EPOLL_CTL_ADD, pairs[0][0], &event) == 0);
	}
	many(wait_elsewhere, sets[0], PAIRS, WINDOWS);
	for (int i = 0; i < 200; i++)
		for (int s = 0; s < PAIRS; s++)
			many(wait_here, set[s], 1, 1);
	many(wait_elsewhere, sets[0], PAIRS, WINDOWS);
}

#define IDLE MUST(epoll_wait(sets[0], events, 1, 0) == 0);
#define IDLE_8 IDLE IDLE IDLE IDLE IDLE IDLE IDLE IDLE

/* More places than there are rows. */
static void places(void)
{
	begin(EPOLLIN, 0);
	for (int i = 0; i < 50; i++) {
		IDLE_8 IDLE_8 IDLE_8 IDLE_8 IDLE_8
	}
}

static const struct scenario scenarios[] = {
	SCENARIO(thin), SCENARIO(calm), SCENARIO(outs), SCENARIO(outs_of_one), SCENARIO(idle), SCENARIO(dry),
	SCENARIO(crowd), SCENARIO(places), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
