/* SPDX-License-Identifier: MIT */
/*
 * A reactor that leaves EPOLLOUT armed, in whose set there is more than sockets: whatever rings
 * while it is kept waiting must be heard at once, or, where the shim cannot know of it, late once.
 * Those who ring do so by raw system calls. ct_polled SCENARIO
 */
#include "ct_mask.h"

#include <sys/timerfd.h>

#define RINGS	10
#define LATE_US 1500

static volatile uint64_t heard_ns; /* when: events other than the armed EPOLLOUT, room on `full` */
static volatile int full = -1;	/* a socket without room */
static volatile int gone = -1; /* no event of it may come any more */
static volatile unsigned wrong;
static int out_of, in_of;	/* what is rung, what is registered for it */
static int late;
static uint64_t late_us[RINGS];

static void *hear(void *unused)
{
	char text[64];

	(void)unused;
	while (!stop) {
		int n = look(epfd), is_heard = 0;

		for (int i = 0; i < n; i++) {
			int fd = (int)(events[i].data.u64 % FDS);

			wrong += fd == gone;
			if (events[i].events & EPOLLOUT && fd == full)
				full = -1, is_heard = 1;
			if (!(events[i].events & ~(uint32_t)EPOLLOUT))
				continue;
			/* What is heard is taken, whichever number it has by now. */
			MUST(syscall(SYS_read, in_of, text, sizeof(text)) != 0 || errno);
			is_heard = 1;
		}
		if (is_heard)
			heard_ns = now_ns();
	}
	return NULL;
}

static void ring_by(void (*ring)(void))
{
	for (int i = 0; i < RINGS; i++) {
		uint64_t began;

		sleep_us(25000 + 1370 * i);
		heard_ns = 0;
		began = now_ns();
		ring();
		while (!heard_ns) {
			MUST(now_ns() - began < 2000000000);
			sleep_us(200);
		}
		late_us[i] = (heard_ns - began) / 1000;
		late += late_us[i] > LATE_US;
	}
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void finish(pthread_t thread)
{
	end(thread);
	qsort(late_us, RINGS, sizeof(late_us[0]), by_size);
	fact("median_us", late_us[RINGS / 2]);
	fact("late", (uint64_t)late);
}

static void hear_rings(void (*ring)(void))
{
	pthread_t thread = begin(hear);

	ring_by(ring);
	finish(thread);
}

static void ring_counter(void)
{
	uint64_t one = 1;

	MUST(syscall(SYS_write, out_of, &one, 8) == 8);
}

static void use_eventfd(void)
{
	in_of = out_of = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void member(void (*ring)(void))
{
	prepare(3, BOTH);
	ctl(epfd, EPOLL_CTL_ADD, in_of, EPOLLIN);
	hear_rings(ring);
	check_own(epfd, -1);
}

static void counter(void)
{
	use_eventfd();
	member(ring_counter);
}

static void ring_timer(void)
{
	struct itimerspec soon = { .it_value = { 0, 1000 } };

	MUST(syscall(SYS_timerfd_settime, out_of, 0, &soon, NULL) == 0);
}

static void timer(void)
{
	in_of = out_of = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	member(ring_timer);
}

static void tube(void)
{
	int ends[2];

	MUST(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	in_of = ends[0];
	out_of = ends[1];
	member(ring_counter);
}

/* The inner set is what is registered; its member is read. */
static void nested(void)
{
	int inner = epoll_create1(EPOLL_CLOEXEC);

	use_eventfd();
	ctl(inner, EPOLL_CTL_ADD, in_of, EPOLLIN);
	prepare(3, BOTH);
	ctl(epfd, EPOLL_CTL_ADD, inner, EPOLLIN);
	hear_rings(ring_counter);
}

static void drain_full(void)
{
	static char much[262144];

	while (syscall(SYS_recvfrom, pairs[0][1], much, sizeof(much), MSG_DONTWAIT, NULL, NULL) > 0)
		;
}

/* One socket has no room, and gets it; between the rings it is filled, by the reactor's thread. */
static void *hear_room(void *unused)
{
	static char much[262144];

	(void)unused;
	while (!stop) {
		int n = look(epfd);

		for (int i = 0; i < n; i++) {
			if ((int)(events[i].data.u64 % FDS) != pairs[0][0])
				continue;
			while (send(pairs[0][0], much, sizeof(much), MSG_DONTWAIT) > 0)
				;
			heard_ns = now_ns();
		}
	}
	return NULL;
}

static void room(void)
{
	pthread_t thread;

	prepare(3, BOTH);
	set_int(pairs[0][0], SOL_SOCKET, SO_SNDBUF, 65536);
	thread = begin(hear_room);
	ring_by(drain_full);
	finish(thread);
}

/* ---- what the shim cannot know, or not in time ------------------------------------------- */

static void unseen(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	use_eventfd();
	prepare(3, BOTH);
	event.data.u64 = 0x7700000000ull | (uint64_t)in_of;
	MUST(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, in_of, &event) == 0);
	hear_rings(ring_counter);
}

/* Its number is closed, another one keeps it and its registration. */
static void outlived(void)
{
	int old;

	use_eventfd();
	prepare(3, BOTH);
	old = in_of;
	ctl(epfd, EPOLL_CTL_ADD, old, EPOLLIN);
	in_of = out_of = dup(old);
	MUST(close(old) == 0);
	hear_rings(ring_counter);
}

static void two_sets(void)
{
	int other = epoll_create1(EPOLL_CLOEXEC);

	use_eventfd();
	prepare(3, BOTH);
	ctl(epfd, EPOLL_CTL_ADD, in_of, EPOLLIN);
	ctl(other, EPOLL_CTL_ADD, in_of, EPOLLIN);
	hear_rings(ring_counter);
}

static void copied_set(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	use_eventfd();
	prepare(3, BOTH);
	event.data.u64 = data_of(in_of);
	MUST(epoll_ctl(dup(epfd), EPOLL_CTL_ADD, in_of, &event) == 0);
	hear_rings(ring_counter);
}

/* Another thread registers what is ready: natively it is heard at once. */
static void ring_by_adding(void)
{
	uint64_t one = 1;

	use_eventfd();
	MUST(syscall(SYS_write, out_of, &one, 8) == 8);
	ctl(epfd, EPOLL_CTL_ADD, in_of, EPOLLIN);
}

static void added(void)
{
	prepare(3, BOTH);
	hear_rings(ring_by_adding);
}

/* Another thread writes until the socket is full, and goes on when the reactor says "room". */
static void ring_by_filling(void)
{
	static char much[262144];

	while (send(pairs[0][0], much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	full = pairs[0][0];
	drain_full();
}

static void filled(void)
{
	prepare(3, BOTH);
	set_int(pairs[0][0], SOL_SOCKET, SO_SNDBUF, 65536);
	hear_rings(ring_by_filling);
}

/* Another thread closes a socket: its peer hears of it within 5 ms, each time in a fresh set. */
static void closed(void)
{
	for (int i = 0; i < RINGS; i++) {
		pthread_t thread;
		uint64_t began;
		char text[10];

		prepare(3, BOTH);
		stop = 0;
		thread = begin(hear);
		sleep_us(25000 + 1370 * i);
		began = now_ns();
		MUST(close(pairs[0][0]) == 0);
		MUST(syscall(SYS_read, pairs[0][1], text, 10) == 0);
		late_us[i] = (now_ns() - began) / 1000;
		end(thread);
	}
	qsort(late_us, RINGS, sizeof(late_us[0]), by_size);
	fact("median_us", late_us[RINGS / 2]);
	fact("late", 0);
}

/* Another thread unregisters a socket, and would free what its events point to. */
static void removed(void)
{
	for (int i = 0; i < RINGS; i++) {
		pthread_t thread;

		prepare(3, BOTH);
		stop = 0;
		thread = begin(hear);
		sleep_us(25000 + 1370 * i);
		ctl(epfd, EPOLL_CTL_DEL, pairs[0][0], 0);
		sleep_us(100); /* what was on its way natively has come */
		gone = pairs[0][0];
		sleep_us(8000);
		end(thread);
		gone = -1;
	}
	fact("wrong", wrong);
}

static const struct scenario scenarios[] = {
	SCENARIO(counter), SCENARIO(timer), SCENARIO(tube), SCENARIO(nested), SCENARIO(room),
	SCENARIO(unseen), SCENARIO(outlived), SCENARIO(two_sets), SCENARIO(copied_set),
	SCENARIO(added), SCENARIO(filled), SCENARIO(closed), SCENARIO(removed), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
