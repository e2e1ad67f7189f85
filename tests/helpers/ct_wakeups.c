/* SPDX-License-Identifier: MIT */
/*
 * Provokes known numbers of useless wake-ups, and wake-ups that look alike but are not useless.
 *	ct_wakeups SCENARIO
 *
 * idle_min and idle_max bound the idle polls where a preempted thread may lose some: the shim
 * takes a pause of more than 20 us between two waits for work.
 */
#include "ct.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

static char text[100];
static int pair[2], epfd;
static struct epoll_event events[64];

static void watch_as(int fd, uint32_t mask, uint64_t data)
{
	struct epoll_event event = { .events = mask, .data.u64 = data };

	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void watch(int fd, uint32_t mask)
{
	watch_as(fd, mask, (uint64_t)fd);
}

static void prepare(void)
{
	tcp_pair(0, pair);
	epfd = epoll_create1(0);
	MUST(epfd >= 0 && read(pair[0], text, 1) == -1 && errno == EAGAIN);
}

/* Something for pair[0] to read; arrives at once on loopback. */
static void feed(void)
{
	MUST(syscall(SYS_write, pair[1], "x", 1) == 1);
}

/* Takes it behind the shim's back, as another process with the same socket would. */
static void steal(int fd)
{
	MUST(syscall(SYS_recvfrom, fd, text, sizeof(text), 0, NULL, NULL) == 1);
}

static void wait_one(uint32_t mask)
{
	MUST(epoll_wait(epfd, events, 64, 1000) == 1 && events[0].events == mask);
}

/* ---- readable events -------------------------------------------------------------------- */

static void find_nothing(void)
{
	MUST(recv(pair[0], text, sizeof(text), 0) == -1 && errno == EAGAIN);
}

static void dry_in(void)
{
	struct pollfd in;
	fd_set set;

	prepare();
	watch(pair[0], EPOLLIN);
	in = (struct pollfd){ pair[0], POLLIN, 0 };
	for (int i = 0; i < 5; i++) {
		feed();
		wait_one(EPOLLIN);
		steal(pair[0]);
		find_nothing();
		find_nothing(); /* the second is not the event's fault */
	}
	feed();
	MUST(poll(&in, 1, 1000) == 1);
	steal(pair[0]);
	find_nothing();
	feed();
	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	MUST(select(pair[0] + 1, &set, NULL, NULL, NULL) == 1);
	steal(pair[0]);
	find_nothing();
	expect("dry_in", 7);
}

static void not_dry_in(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 5; i++) {
		feed();
		wait_one(EPOLLIN);
		MUST(recv(pair[0], text, sizeof(text), 0) == 1);
		find_nothing(); /* reads until EAGAIN, as edge-triggered hosts do */
	}
	find_nothing(); /* no event at all before it */
}

static int listener;
static struct sockaddr_in address;

static void knock(void)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	MUST(syscall(SYS_connect, fd, &address, sizeof(address)) == 0);
}

static void herd(void)
{
	listener = tcp_listener(&address);
	set_nonblocking(listener);
	epfd = epoll_create1(0);
	watch(listener, EPOLLIN);
	for (int i = 0; i < 4; i++) {
		knock();
		wait_one(EPOLLIN);
		MUST(syscall(SYS_accept4, listener, NULL, NULL, 0) >= 0); /* another worker */
		MUST(accept4(listener, NULL, NULL, 0) == -1 && errno == EAGAIN);
	}
	expect("herd_accepts", 4);
	expect("accepts", 0);
}

static void no_herd(void)
{
	listener = tcp_listener(&address);
	set_nonblocking(listener);
	epfd = epoll_create1(0);
	watch(listener, EPOLLIN);
	for (int i = 0; i < 4; i++) {
		knock();
		wait_one(EPOLLIN);
		MUST(accept(listener, NULL, NULL) >= 0);
		MUST(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
	}
	expect("accepts", 4);
}

/* ---- writable events -------------------------------------------------------------------- */

static void unused_out(void)
{
	prepare();
	watch(pair[0], EPOLLOUT);
	for (int i = 0; i < 11; i++)
		wait_one(EPOLLOUT);
	expect("unused_out", 10); /* what the last one is good for is not known yet */
	fact("unused_of_set", 10);
	fact("epfd", (uint64_t)epfd);
}

static void unused_out_poll(void)
{
	struct pollfd out;

	prepare();
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	for (int i = 0; i < 11; i++)
		MUST(poll(&out, 1, 1000) == 1);
	expect("unused_out", 10);
}

static void used_out(void)
{
	prepare();
	watch(pair[0], EPOLLOUT);
	for (int i = 0; i < 5; i++) {
		wait_one(EPOLLOUT);
		MUST(write(pair[0], text, 1) == 1);
	}
}

/* A refused write is a use: the host tried. */
static void tried_out(void)
{
	static char large[1 << 22];

	tcp_pair(16384, pair);
	epfd = epoll_create1(0);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 16384);
	watch(pair[0], EPOLLOUT);
	for (int i = 0; i < 3; i++) {
		wait_one(EPOLLOUT);
		MUST(write(pair[0], large, sizeof(large)) < (ssize_t)sizeof(large));
		drain(pair[1]);
	}
	expect("short_writes", 3);
	expect("resumes", 2);
}

static void out_with_ctl_between(void)
{
	struct epoll_event mod = { .events = EPOLLOUT, .data.fd = 0 };

	prepare();
	mod.data.fd = pair[0];
	watch(pair[0], EPOLLOUT);
	for (int i = 0; i < 5; i++) {
		wait_one(EPOLLOUT);
		MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, pair[0], &mod) == 0);
	}
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, pair[0], NULL) == 0);
	MUST(epoll_wait(epfd, events, 64, 10) == 0);
}

static void out_then_close(void)
{
	prepare();
	watch(pair[0], EPOLLOUT);
	wait_one(EPOLLOUT);
	MUST(close(pair[0]) == 0);
	MUST(epoll_wait(epfd, events, 64, 10) == 0);
}

static void out_beside_in(void)
{
	prepare();
	watch(pair[0], EPOLLIN | EPOLLOUT);
	feed();
	for (int i = 0; i < 5; i++)
		wait_one(EPOLLIN | EPOLLOUT);
}

/* An edge comes once: there is no wake-up to be saved. */
static void out_edge(void)
{
	struct epoll_event mod = { .events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP };

	prepare();
	watch(pair[0], mod.events);
	wait_one(EPOLLOUT);
	MUST(epoll_wait(epfd, events, 64, 10) == 0);
	mod.data.fd = pair[0];
	MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, pair[0], &mod) == 0);
	wait_one(EPOLLOUT);
	MUST(epoll_wait(epfd, events, 64, 10) == 0);
}

static void out_hang_up(void)
{
	prepare();
	watch(pair[0], EPOLLOUT | EPOLLRDHUP);
	MUST(shutdown(pair[1], SHUT_WR) == 0);
	for (int i = 0; i < 5; i++)
		wait_one(EPOLLOUT | EPOLLRDHUP);
	MUST(shutdown(pair[0], SHUT_WR) == 0);
	for (int i = 0; i < 5; i++)
		wait_one(EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
}

/* ---- events that cannot be placed, and ones that can ------------------------------------ */

static void placed(void)
{
	int bell = eventfd(1, EFD_NONBLOCK), own = eventfd(1, EFD_NONBLOCK);

	prepare();
	watch_as(pair[0], EPOLLIN, (uint64_t)(uintptr_t)&pair); /* a pointer, as most hosts do */
	watch_as(bell, EPOLLIN, 1ull << 63 | 12345);
	watch(own, EPOLLIN);
	feed();
	for (int i = 0; i < 5; i++)
		MUST(epoll_wait(epfd, events, 64, 1000) == 3);
	expect("wait_events", 15);
}

static void not_placed(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0xabcdef0123456789 };

	prepare();
	MUST(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, pair[0], &event) == 0); /* io_uring */
	feed();
	for (int i = 0; i < 5; i++)
		wait_one(EPOLLIN);
	expect("unknown_events", 5);
}

/* ---- idle polls ------------------------------------------------------------------------- */

static void say_idle(uint64_t most)
{
	fact("idle_max", most);
	fact("idle_min", most * 7 / 10);
}

static void idle_zero(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 200; i++)
		MUST(epoll_wait(epfd, events, 64, 0) == 0);
	expect("empty_waits", 200);
	say_idle(199); /* the first look is nobody's fault */
}

static void idle_ms(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 50; i++)
		MUST(epoll_wait(epfd, events, 64, 1) == 0);
	say_idle(49);
}

/* The other waits that tell their timeout, one after the other. */
static void idle_others(void)
{
	static const struct timespec none = { 0, 0 };
	struct pollfd in;

	prepare();
	watch(pair[0], EPOLLIN);
	in = (struct pollfd){ pair[0], POLLIN, 0 };
	for (int i = 0; i < 40; i++) {
		MUST(poll(&in, 1, 0) == 0 && ppoll(&in, 1, &none, NULL) == 0);
		MUST(epoll_pwait(epfd, events, 64, 0, NULL) == 0);
		MUST(epoll_pwait2(epfd, events, 64, &none, NULL) == 0);
		MUST(pselect(0, NULL, NULL, NULL, &none, NULL) == 0);
	}
	say_idle(199);
}

static void timer(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 10; i++)
		MUST(epoll_wait(epfd, events, 64, 10) == 0);
	expect("empty_waits", 10);
}

/* libuv: after a full event array it polls with timeout 0 until there is nothing more. */
static void burst(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 20; i++) {
		feed();
		MUST(epoll_wait(epfd, events, 1, -1) == 1);
		MUST(recv(pair[0], text, sizeof(text), 0) == 1);
		MUST(epoll_wait(epfd, events, 1, 0) == 0);
		MUST(epoll_wait(epfd, events, 1, 6) == 0); /* the next real wait; a timer ends it */
	}
}

/* One look without waiting before the wait itself. */
static void look_first(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 20; i++) {
		MUST(epoll_wait(epfd, events, 1, 0) == 0);
		feed();
		MUST(epoll_wait(epfd, events, 1, 5000) == 1);
		MUST(recv(pair[0], text, sizeof(text), 0) == 1);
	}
}

/* Polls between which something is done: read, write, accept, or plain work. */
static void busy(void)
{
	prepare();
	watch(pair[0], EPOLLIN);
	for (int i = 0; i < 20; i++) {
		MUST(epoll_wait(epfd, events, 1, 0) == 0);
		MUST(write(pair[0], text, 1) == 1);
	}
	for (int i = 0; i < 20; i++) {
		MUST(epoll_wait(epfd, events, 1, 0) == 0);
		find_nothing();
	}
	for (int i = 0; i < 20; i++) {
		uint64_t end;

		MUST(epoll_wait(epfd, events, 1, 0) == 0);
		end = now_ns() + 100000; /* after the wait, which may be preempted itself */
		while (now_ns() < end)
			;
	}
}

static const struct scenario scenarios[] = {
	SCENARIO(dry_in), SCENARIO(not_dry_in), SCENARIO(herd), SCENARIO(no_herd),
	SCENARIO(unused_out), SCENARIO(unused_out_poll), SCENARIO(used_out), SCENARIO(tried_out),
	SCENARIO(out_with_ctl_between), SCENARIO(out_then_close), SCENARIO(out_beside_in),
	SCENARIO(out_edge), SCENARIO(out_hang_up), SCENARIO(placed), SCENARIO(not_placed),
	SCENARIO(idle_zero), SCENARIO(idle_ms), SCENARIO(idle_others), SCENARIO(timer),
	SCENARIO(burst), SCENARIO(look_first), SCENARIO(busy), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
