/* SPDX-License-Identifier: MIT */
/*
 * Threads that poll an epoll set without pause, and what may not be kept from them.
 *	ct_stretch SCENARIO
 * errno is 99 before each wait and must be so after it.
 */
#include "ct.h"

#include <sys/epoll.h>
#include <sys/time.h>

static int pair[2], epfd;
static struct epoll_event events[64];
static volatile uint64_t posted_ns; /* when work was handed over without a descriptor; 0: none */

static void prepare(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x123456789aull };

	tcp_pair(0, pair);
	epfd = epoll_create1(0);
	MUST(epfd >= 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, pair[0], &event) == 0);
}

/* One look without waiting, each time by another of the three calls. */
static int look(void)
{
	static const struct timespec none = { 0, 0 };
	static unsigned turn;
	int n;

	errno = 99;
	switch (turn++ % 3) {
	case 0:
		n = epoll_wait(epfd, events, 64, 0);
		break;
	case 1:
		n = epoll_pwait(epfd, events, 64, 0, NULL);
		break;
	default:
		n = epoll_pwait2(epfd, events, 64, &none, NULL);
	}
	MUST(n >= 0 && errno == 99);
	return n;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void idle(void)
{
	uint64_t end, cpu;
	unsigned polls = 0;

	prepare();
	end = now_ns() + 300000000;
	cpu = cpu_ns();
	for (; now_ns() < end; polls++)
		MUST(look() == 0);
	fact("polls", polls);
	fact("cpu_us", (cpu_ns() - cpu) / 1000);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

#define ROUNDS 15
static uint64_t late_us[ROUNDS];

static void say_late(void)
{
	qsort(late_us, ROUNDS, sizeof(late_us[0]), by_number);
	fact("median_us", late_us[ROUNDS / 2]);
	fact("most_us", late_us[ROUNDS - 1]);
}

static void *poster(void *how)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		sleep_us(30000 + 700 * i);
		posted_ns = now_ns();
		if (how)
			MUST(syscall(SYS_write, pair[1], "x", 1) == 1);
		while (posted_ns)
			sleep_us(1000);
	}
	return NULL;
}

/* Work comes by another thread: as an event, or as a flag that is looked at after each poll. */
static void wait_for_posts(int is_event)
{
	pthread_t thread;
	char text[10];

	prepare();
	MUST(pthread_create(&thread, NULL, poster, is_event ? pair : NULL) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int n;

		do {
			n = look();
		} while (is_event ? !n : !posted_ns);
		late_us[i] = (now_ns() - posted_ns) / 1000;
		if (is_event)
			MUST(n == 1 && events[0].events == EPOLLIN &&
			     events[0].data.u64 == 0x123456789aull && read(pair[0], text, 10) == 1);
		else
			for (uint64_t end = now_ns() + 100000; now_ns() < end;)
				; /* the work */
		posted_ns = 0;
	}
	MUST(pthread_join(thread, NULL) == 0);
	say_late();
}

static void event(void)
{
	wait_for_posts(1);
}

static void flag(void)
{
	wait_for_posts(0);
}

static void on_alarm(int number)
{
	(void)number;
	posted_ns = now_ns();
}

static void signalled(void)
{
	struct itimerval every = { { 0, 31000 }, { 0, 31000 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	prepare();
	MUST(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		while (!posted_ns)
			MUST(look() == 0);
		late_us[i] = (now_ns() - posted_ns) / 1000;
		posted_ns = 0;
	}
	say_late();
}

/* What looks like idle polling and is none: bursts, work in between, waits of a timer. */
static void not_idle(void)
{
	char text[10];

	prepare();
	for (int i = 0; i < 100; i++) {
		MUST(syscall(SYS_write, pair[1], "x", 1) == 1 && epoll_wait(epfd, events, 1, -1) == 1);
		MUST(read(pair[0], text, 10) == 1);
		for (int n = 0; n < 48; n++)
			MUST(look() == 0);
	}
	for (int i = 0; i < 3000; i++) {
		MUST(look() == 0);
		MUST(read(pair[0], text, 10) == -1 && errno == EAGAIN);
	}
	for (int i = 0; i < 20; i++)
		MUST(epoll_wait(epfd, events, 1, 6) == 0);
	expect("stretched_polls", 0);
}

static const struct scenario scenarios[] = {
	SCENARIO(idle), SCENARIO(event), SCENARIO(flag), SCENARIO(signalled),
	SCENARIO(not_idle), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
