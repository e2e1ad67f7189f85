/* SPDX-License-Identifier: MIT */
/*
 * Timer loops as servers have them, all at once, each in a thread of its own: how late do they run?
 *	wk_timers
 * Prints per loop: KIND PERIOD_US LOOPS EARLIEST MEDIAN P90, the last three in ns of lateness.
 */
#include "ct.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* The 1 ms loop runs on after the 1024 idle polls that make it one of those that are stretched. */
static const struct {
	unsigned period_us, skipped, loops;
} periods[] = { { 1000, 1100, 300 }, { 10000, 20, 100 }, { 1000000, 0, 2 } };

#define LOOPS_MAX 300

static int quiet; /* a socket on which nothing happens */

struct loop {
	const char *kind;
	void (*turn)(struct loop *);
	int set, timer;
	unsigned period_us, skipped, loops;
	uint64_t due_ns; /* of the turn; set by timerfd's itself */
	int64_t late_ns[LOOPS_MAX];
};

static struct epoll_event event;

static void by_epoll_wait(struct loop *l)
{
	MUST(epoll_wait(l->set, &event, 1, (int)(l->period_us / 1000)) == 0);
}

static void by_epoll_pwait2(struct loop *l)
{
	struct timespec t = { l->period_us / 1000000, (long)(l->period_us % 1000000) * 1000 };

	MUST(epoll_pwait2(l->set, &event, 1, &t, NULL) == 0);
}

static void by_poll(struct loop *l)
{
	struct pollfd in = { .fd = quiet, .events = POLLIN };

	MUST(poll(&in, 1, (int)(l->period_us / 1000)) == 0);
}

/* What expired is read late too when the wait was: the kernel says how many there were. */
static void by_timerfd(struct loop *l)
{
	uint64_t times;

	MUST(epoll_wait(l->set, &event, 1, -1) == 1);
	MUST(read(l->timer, &times, sizeof(times)) == sizeof(times));
	l->due_ns += (times - 1) * l->period_us * 1000;
}

static void prepare(struct loop *l)
{
	struct epoll_event in = { .events = EPOLLIN };
	struct itimerspec t = { 0 };
	uint64_t begin = now_ns();

	l->set = epoll_create1(0);
	if (l->turn != by_timerfd) {
		MUST(epoll_ctl(l->set, EPOLL_CTL_ADD, quiet, &in) == 0);
		return;
	}
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	MUST(l->timer >= 0 && epoll_ctl(l->set, EPOLL_CTL_ADD, l->timer, &in) == 0);
	t.it_interval =
		(struct timespec){ l->period_us / 1000000, (long)(l->period_us % 1000000) * 1000 };
	t.it_value = (struct timespec){ (time_t)(begin / 1000000000) + t.it_interval.tv_sec,
					(long)(begin % 1000000000) + t.it_interval.tv_nsec };
	if (t.it_value.tv_nsec >= 1000000000) {
		t.it_value.tv_nsec -= 1000000000;
		t.it_value.tv_sec++;
	}
	MUST(timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &t, NULL) == 0);
	l->due_ns = begin;
}

static void *run(void *argument)
{
	struct loop *l = argument;

	prepare(l);
	for (unsigned n = 0; n < l->skipped + l->loops; n++) {
		uint64_t begin = l->turn == by_timerfd ? l->due_ns : now_ns();

		l->due_ns = begin + l->period_us * 1000ull;
		l->turn(l);
		if (n >= l->skipped)
			l->late_ns[n - l->skipped] = (int64_t)(now_ns() - l->due_ns);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void say(struct loop *l)
{
	qsort(l->late_ns, l->loops, sizeof(l->late_ns[0]), compare);
	printf("%s %u %u %lld %lld %lld\n", l->kind, l->period_us, l->loops,
	       (long long)l->late_ns[0], (long long)l->late_ns[l->loops / 2],
	       (long long)l->late_ns[l->loops * 9 / 10]);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*turn)(struct loop *);
	} kinds[] = { { "epoll_wait", by_epoll_wait },
		      { "epoll_pwait2", by_epoll_pwait2 },
		      { "poll", by_poll },
		      { "timerfd", by_timerfd } };
	enum { KINDS = 4, PERIODS = 3 };
	static struct loop loops[KINDS * PERIODS];
	pthread_t threads[KINDS * PERIODS];
	int pair[2];

	tcp_pair(0, pair);
	quiet = pair[0];
	for (unsigned n = 0; n < KINDS * PERIODS; n++) {
		loops[n].kind = kinds[n % KINDS].name;
		loops[n].turn = kinds[n % KINDS].turn;
		loops[n].period_us = periods[n / KINDS].period_us;
		loops[n].skipped = periods[n / KINDS].skipped;
		loops[n].loops = periods[n / KINDS].loops;
		MUST(pthread_create(&threads[n], NULL, run, &loops[n]) == 0);
	}
	for (unsigned n = 0; n < KINDS * PERIODS; n++) {
		MUST(pthread_join(threads[n], NULL) == 0);
		say(&loops[n]);
	}
	return 0;
}
