/* SPDX-License-Identifier: MIT */
/*
 * Signals and the mask a wait is given. Says what was seen; natively it is the same at every run.
 *	wk_masks SCENARIO CALL
 */
#include "ct.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int set, pair[2];
static pid_t waiter;
static volatile sig_atomic_t is_in_wait, handled, handled_in_wait;
static sigset_t usr1, nothing;

static void handler(int unused)
{
	(void)unused;
	handled++;
	handled_in_wait += is_in_wait;
}

/* ---- the four calls that take a mask ---------------------------------------------------- */

static int by_epoll_pwait(int ms, const sigset_t *mask)
{
	struct epoll_event event;

	return epoll_pwait(set, &event, 1, ms, mask);
}

static struct timespec in_ms(int ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
}

static int by_epoll_pwait2(int ms, const sigset_t *mask)
{
	struct timespec t = in_ms(ms);
	struct epoll_event event;

	return epoll_pwait2(set, &event, 1, &t, mask);
}

static int by_ppoll(int ms, const sigset_t *mask)
{
	struct pollfd in = { .fd = pair[0], .events = POLLIN };
	struct timespec t = in_ms(ms);

	return ppoll(&in, 1, &t, mask);
}

static int by_pselect(int ms, const sigset_t *mask)
{
	struct timespec t = in_ms(ms);
	fd_set in;

	FD_ZERO(&in);
	FD_SET(pair[0], &in);
	return pselect(pair[0] + 1, &in, NULL, NULL, &t, mask);
}

static int (*call)(int ms, const sigset_t *mask);

/* -1: interrupted. */
static int wait_masked(int ms, const sigset_t *mask)
{
	int r;

	is_in_wait = 1;
	errno = 0;
	r = call(ms, mask);
	is_in_wait = 0;
	MUST(r == 0 || (r == -1 && errno == EINTR));
	return r;
}

/* ---- signals from another thread -------------------------------------------------------- */

struct sender {
	unsigned first_us, every_us, times;
	int waits; /* until one is handled before the next: several pending ones are one */
};

static void *send_signals(void *argument)
{
	const struct sender *s = argument;

	sleep_us(s->first_us);
	for (unsigned n = 0; n < s->times; n++) {
		int before = handled;

		MUST(syscall(SYS_tgkill, getpid(), waiter, SIGUSR1) == 0);
		for (unsigned tries = 0; s->waits && handled == before; tries++) {
			MUST(tries < 20000); /* two seconds */
			sleep_us(100);
		}
		sleep_us(s->every_us);
	}
	return NULL;
}

static pthread_t send_later(struct sender *s)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, send_signals, s) == 0);
	return thread;
}

static int is_blocked(void)
{
	sigset_t now;

	MUST(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
	return sigismember(&now, SIGUSR1);
}

static void block(int is_to_be)
{
	MUST(sigprocmask(is_to_be ? SIG_BLOCK : SIG_UNBLOCK, &usr1, NULL) == 0);
}

static void say(int result)
{
	fact("interrupted", result == -1);
	fact("handled", (uint64_t)handled);
	fact("handled_in_wait", (uint64_t)handled_in_wait);
	fact("blocked_after", (uint64_t)is_blocked());
}

/* ---- scenarios -------------------------------------------------------------------------- */

/* Blocked outside, let in by the mask: one that came before the wait ends it at once. */
static void pending(void)
{
	uint64_t begin;
	int r;

	block(1);
	raise(SIGUSR1);
	begin = now_ns();
	r = wait_masked(20000, &nothing);
	MUST(now_ns() - begin < 10000000000ull);
	say(r);
}

/* The same while the thread waits. */
static void during(void)
{
	struct sender s = { 30000, 0, 1, 0 };
	uint64_t begin = now_ns();
	pthread_t thread;
	int r;

	block(1);
	thread = send_later(&s);
	r = wait_masked(20000, &nothing);
	MUST(now_ns() - begin < 10000000000ull);
	pthread_join(thread, NULL);
	say(r);
}

/* Kept out by the mask: the wait goes on to its end, and then the handler runs. */
static void kept_out(void)
{
	struct sender s = { 20000, 0, 1, 0 };
	uint64_t begin = now_ns();
	pthread_t thread = send_later(&s);
	int r = wait_masked(100, &usr1);

	MUST(now_ns() - begin >= 100000000ull);
	pthread_join(thread, NULL);
	handled_in_wait = 0; /* it runs when the call returns: before or after our flag */
	say(r);
}

/* Polls without waiting, until they are stretched and for a while after. */
static unsigned poll_for(unsigned ms, int timeout, const sigset_t *mask)
{
	uint64_t end = now_ns() + ms * 1000000ull;
	unsigned interruptions = 0;

	while (now_ns() < end)
		interruptions += wait_masked(timeout, mask) == -1;
	return interruptions;
}

/* A poll that does not wait lets nothing in: Linux looks at the time before it looks at signals. */
static void polls_let_in(void)
{
	struct sender s = { 250000, 1000, 20, 0 };
	pthread_t thread;
	int r;

	block(1);
	thread = send_later(&s);
	fact("polls_interrupted", poll_for(500, 0, &nothing));
	fact("handled_in_polls", (uint64_t)handled);
	pthread_join(thread, NULL);
	r = wait_masked(1, &nothing);
	say(r);
}

/* Kept out of each poll, let in between them: at once, and no poll says so. */
static void polls_keep_out(void)
{
	struct sender s = { 250000, 10000, 20, 1 };
	pthread_t thread = send_later(&s);

	fact("polls_interrupted", poll_for(600, 0, &usr1));
	pthread_join(thread, NULL);
	fact("handled", (uint64_t)handled);
}

/* Short waits, stretched where stretch_max_us is longer: the handler runs in a wait, which says so.
 */
static void short_waits(void)
{
	struct sender s = { 1700000, 20000, 25, 1 };
	unsigned interruptions;
	pthread_t thread;

	block(1);
	thread = send_later(&s);
	interruptions = poll_for(2500, 1, &nothing);
	pthread_join(thread, NULL);
	fact("interrupted", interruptions);
	fact("handled", (uint64_t)handled);
	fact("handled_in_wait", (uint64_t)handled_in_wait);
}

#define S(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = { S(pending),	   S(during),	      S(kept_out),
		  S(polls_let_in), S(polls_keep_out), S(short_waits) };

static const struct {
	const char *name;
	int (*call)(int ms, const sigset_t *mask);
} calls[] = { { "epoll_pwait", by_epoll_pwait },
	      { "epoll_pwait2", by_epoll_pwait2 },
	      { "ppoll", by_ppoll },
	      { "pselect", by_pselect } };

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler };
	struct epoll_event in = { .events = EPOLLIN };

	MUST(argc == 3);
	tcp_pair(0, pair);
	set = epoll_create1(0);
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &in) == 0);
	sigemptyset(&nothing);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	MUST(sigaction(SIGUSR1, &action, NULL) == 0);
	waiter = (pid_t)syscall(SYS_gettid);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, argv[2]))
			call = calls[i].call;
	MUST(call != NULL);
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, argv[1]))
			scenarios[i].run();
	return 0;
}
