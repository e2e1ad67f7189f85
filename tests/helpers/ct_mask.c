/* SPDX-License-Identifier: MIT */
/*
 * Hosts that leave EPOLLOUT armed with nothing to write, and what may not be kept from them. The
 * thread that waits is the main one; what other threads do meanwhile is in ct_mask_others.c, who is
 * left alone in ct_mask_alone.c. ct_mask SCENARIO [ARGUMENT [change]]
 */
#include "ct_mask.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static int argument;
static volatile uint64_t posted_ns; /* when work was handed over; 0: none */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* So many sockets, and so many events per wait. */
static void run_idle(int sockets, int max)
{
	uint64_t end, cpu;
	unsigned waits = 0;

	max_events = max;
	prepare(sockets, BOTH);
	end = now_ns() + 400000000;
	cpu = cpu_ns();
	for (; now_ns() < end; waits++) {
		int n = look(epfd);

		MUST(n >= 1 && n <= max);
		for (int i = 0; i < n; i++)
			MUST(events[i].events == EPOLLOUT);
	}
	fact("cpu_us", (cpu_ns() - cpu) / 1000);
	fact("waits", waits);
	expect("waits", waits);
	check_own(epfd, -1);
}

static void idle(void)
{
	run_idle(argument ? argument : 1, 64);
}

static void idle_full_arrays(void)
{
	run_idle(8, 3);
}

/* ---- latency of what comes meanwhile ----------------------------------------------------- */

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

/* A client that asks now and then, and measures until the answer is there. */
static int client;

static void *ask(void *unused)
{
	char text[10];

	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t began;

		sleep_us(40000 + 700 * i);
		began = now_ns();
		MUST(syscall(SYS_write, client, "x", 1) == 1);
		MUST(syscall(SYS_read, client, text, 10) == 1);
		late_us[i] = (now_ns() - began) / 1000;
	}
	stop = 1;
	MUST(syscall(SYS_write, client, "x", 1) == 1);
	return NULL;
}

enum how { DIRECTLY, ON_OUT, BY_PROXY };

/* BY_PROXY: asked on pairs[0], the answer is fetched from pairs[1], whose peer is served here too.
 */
static void serve(enum how how)
{
	pthread_t thread;
	char text[10];
	int owes = 0;

	prepare(5, BOTH);
	max_events = argument ? argument : 64;
	client = pairs[0][1];
	thread = begin(ask);
	while (!stop) {
		int n = look(epfd);

		for (int i = 0; i < n; i++) {
			int fd = (int)(events[i].data.u64 % FDS);

			if (fd == pairs[0][0] && events[i].events & EPOLLIN) {
				MUST(read(fd, text, 10) == 1);
				if (how == DIRECTLY)
					MUST(write(fd, text, 1) == 1);
				else if (how == BY_PROXY)
					MUST(syscall(SYS_write, pairs[1][1], "y", 1) == 1);
				else
					owes = 1;
			} else if (fd == pairs[1][0] && events[i].events & EPOLLIN) {
				MUST(read(fd, text, 10) == 1);
				MUST(write(pairs[0][0], text, 1) == 1);
			} else if (fd == pairs[0][0] && owes && events[i].events & EPOLLOUT) {
				MUST(write(fd, text, 1) == 1);
				owes = 0;
			}
		}
	}
	MUST(pthread_join(thread, NULL) == 0);
	say_late();
	check_own(epfd, -1);
}

static void directly(void)
{
	serve(DIRECTLY);
}

static void on_out(void)
{
	serve(ON_OUT);
}

static void proxy(void)
{
	serve(BY_PROXY);
}

static void *post(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		sleep_us(30000 + 700 * i);
		posted_ns = now_ns();
		while (posted_ns)
			sleep_us(1000);
	}
	return NULL;
}

/* Another thread leaves something in a buffer and sets a flag, no descriptor: EPOLLOUT is the
 * clock. */
static void flag(void)
{
	pthread_t thread;

	prepare(1, BOTH);
	thread = begin(post);
	for (unsigned i = 0; i < ROUNDS; i++) {
		while (!posted_ns)
			MUST(look(epfd) == 1);
		late_us[i] = (now_ns() - posted_ns) / 1000;
		MUST(write(pairs[0][0], "x", 1) == 1);
		posted_ns = 0;
	}
	MUST(pthread_join(thread, NULL) == 0);
	say_late();
	check_own(epfd, -1);
}

/* ---- signals ----------------------------------------------------------------------------- */

static sigjmp_buf jump;
static volatile int may_jump;

static void on_alarm(int number)
{
	(void)number;
	posted_ns = now_ns();
	if (may_jump)
		siglongjmp(jump, 1);
}

static void every_31_ms(void)
{
	struct itimerval every = { { 0, 31000 }, { 0, 31000 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	MUST(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void signalled(void)
{
	prepare(2, BOTH);
	every_31_ms();
	for (unsigned i = 0; i < ROUNDS; i++) {
		while (!posted_ns)
			look(epfd);
		late_us[i] = (now_ns() - posted_ns) / 1000;
		check_own(epfd, -1);
		posted_ns = 0;
	}
	say_late();
}

/* Out of the wait by a jump: whatever the thread waits for next, its registrations are its own. */
static void jumps(void)
{
	static volatile unsigned left_masked, n;

	prepare(2, BOTH);
	every_31_ms();
	for (n = 0; n < 20; n++) {
		uint32_t masks[FDS] = { 0 };
		uint64_t data[FDS];
		struct pollfd in = { .fd = pairs[0][0], .events = POLLIN };

		may_jump = 1;
		if (!sigsetjmp(jump, 1))
			for (;;)
				look(epfd);
		may_jump = 0;
		registered(epfd, masks, data);
		left_masked += masks[pairs[0][0]] != BOTH;
		switch (n % 3) {
		case 0:
			MUST(poll(&in, 1, 0) == 0);
			break;
		case 1:
			MUST(look(epfd) == 2);
			break;
		default:
			ctl(epfd, EPOLL_CTL_MOD, pairs[0][0], BOTH);
			ctl(epfd, EPOLL_CTL_MOD, pairs[1][0], BOTH);
		}
		check_own(epfd, -1);
	}
	fact("left_masked", left_masked);
}

/* ONESHOT, edge-triggered and armed in one set: each event comes once, however it is waited for. */
static void *send_each(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < 120; i++) {
		posted_ns = 1;
		MUST(syscall(SYS_write, pairs[1 + i % 2][1], "x", 1) == 1);
		while (posted_ns)
			sleep_us(100);
		if (i % 10 == 9)
			sleep_us(30000);
	}
	sleep_us(20000);
	stop = 1;
	return NULL;
}

static void mixed(void)
{
	unsigned once = 0, edges = 0;
	pthread_t thread;
	char text[10];

	prepare(6, BOTH);
	ctl(epfd, EPOLL_CTL_MOD, pairs[1][0], EPOLLIN | EPOLLONESHOT);
	ctl(epfd, EPOLL_CTL_MOD, pairs[2][0], EPOLLIN | EPOLLET);
	max_events = argument ? argument : 64;
	thread = begin(send_each);
	while (!stop) {
		int n = look(epfd);

		for (int i = 0; i < n; i++) {
			int fd = (int)(events[i].data.u64 % FDS);

			if (events[i].events == EPOLLOUT)
				continue;
			MUST(read(fd, text, 10) == 1);
			once += fd == pairs[1][0];
			edges += fd == pairs[2][0];
			if (fd == pairs[1][0])
				ctl(epfd, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
			posted_ns = 0;
		}
	}
	MUST(pthread_join(thread, NULL) == 0 && once == 60 && edges == 60);
	check_own(epfd, -1);
}

static const struct scenario scenarios[] = {
	SCENARIO(idle), SCENARIO(idle_full_arrays), SCENARIO(directly), SCENARIO(on_out),
	SCENARIO(proxy), SCENARIO(flag), SCENARIO(signalled), SCENARIO(jumps), SCENARIO(mixed), { NULL, NULL },
};

int main(int argc, char **argv)
{
	filter_from_environment();
	argument = argc > 2 ? atoi(argv[2]) : 0;
	must_change = argc > 3;
	return run_scenario(scenarios, argc, argv);
}
