/* SPDX-License-Identifier: MIT */
/*
 * A reactor on a processor that others want too, whose waits bring few events each.
 *	ct_gather SCENARIO
 * The reactor and its eight clients share it; each client sends a byte when it has its last back.
 */
#include "ct.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#define PAIRS 8
#define BYTES 40000u

static int pairs[PAIRS][2], epfd;
static volatile sig_atomic_t handled;

static void stay_on_one_processor(void)
{
	cpu_set_t allowed, one;

	MUST(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		break;
	}
	MUST(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static pid_t child(void (*run)(void))
{
	pid_t parent = getpid(), pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		run();
	_exit(0);
}

static void compute(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

static int signals_every; /* bytes; 0: none */
static int client;

static void ask_again_and_again(void)
{
	char byte;

	for (unsigned i = 1; i <= BYTES / PAIRS; i++) {
		MUST(syscall(SYS_write, pairs[client][1], "x", 1) == 1);
		if (signals_every && client == 0 && i % (unsigned)signals_every == 0)
			kill(getppid(), SIGUSR1);
		MUST(syscall(SYS_read, pairs[client][1], &byte, 1) == 1);
	}
}

static void on_usr1(int number)
{
	(void)number;
	handled++;
}

static int wait_for_event(struct epoll_event *event, unsigned turn)
{
	sigset_t none;

	sigemptyset(&none);
	errno = 99;
	switch (turn % 3) {
	case 0:
		return signals_every ? epoll_pwait(epfd, event, 1, 20000, &none)
				     : epoll_wait(epfd, event, 1, -1);
	case 1:
		return epoll_pwait(epfd, event, 1, -1, &none);
	default:
		return epoll_pwait2(epfd, event, 1, NULL, &none);
	}
}

static void serve(void)
{
	struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	struct epoll_event event;
	unsigned got = 0, waits = 0, interrupted = 0;
	sigset_t usr1;
	char byte;

	stay_on_one_processor();
	/* Taken in waits only: each handler that runs ends one. */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	MUST(sigaction(SIGUSR1, &action, NULL) == 0);
	if (signals_every)
		MUST(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	epfd = epoll_create1(0);
	for (int i = 0; i < PAIRS; i++) {
		event = (struct epoll_event){ .events = EPOLLIN, .data.u32 = (uint32_t)i };
		tcp_pair(0, pairs[i]);
		MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pairs[i][0], &event) == 0);
	}
	for (client = 0; client < PAIRS; client++)
		child(ask_again_and_again);
	while (got < BYTES) {
		/* One at a time: thin by its own choice, so on any machine. */
		int n = wait_for_event(&event, waits++), fd;

		if (n < 0) {
			MUST(errno == EINTR);
			interrupted++;
			continue;
		}
		MUST(n == 1 && errno == 99);
		fd = pairs[event.data.u32][0];
		MUST(recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1);
		got++;
	}
	for (int i = 0; i < PAIRS; i++)
		MUST(wait(NULL) > 0);
	fact("waits", waits);
	fact("handled", (uint64_t)handled);
	fact("interrupted", interrupted);
}

static void thin(void)
{
	serve();
}

static void signalled(void)
{
	signals_every = 20;
	serve();
}

/* Short timeouts are timers: nothing may make them late. */
static void timers(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	char byte;

	stay_on_one_processor();
	epfd = epoll_create1(0);
	tcp_pair(0, pairs[0]);
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pairs[0][0], &event) == 0);
	child(compute);
	for (unsigned i = 0; i < 20000; i++) {
		MUST(syscall(SYS_write, pairs[0][1], "x", 1) == 1);
		MUST(epoll_wait(epfd, &event, 1, 5) == 1 && recv(pairs[0][0], &byte, 1, 0) == 1);
	}
}

#define BATCH 64

/*
 * Waits of so many of the events, which are always there, for a time; says how long the quickest
 * 64 in a row of its last half took, in us: napping 100 us before each, 6400 at least.
 */
static void wait_for_a_while(const char *name, int events, unsigned ms)
{
	struct epoll_event event[PAIRS];
	uint64_t begin = now_ns(), least = UINT64_MAX, at;

	while ((at = now_ns()) < begin + ms * 1000000ull) {
		for (int i = 0; i < BATCH; i++)
			MUST(epoll_wait(epfd, event, events, -1) == events);
		if (at > begin + ms * 500000ull && now_ns() - at < least)
			least = now_ns() - at;
	}
	fact(name, least / 1000);
}

/* Thin, then thick for longer than a verdict lasts (2 s), then thin again. */
static void thickens(void)
{
	epfd = epoll_create1(0);
	for (int i = 0; i < PAIRS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		tcp_pair(0, pairs[i]);
		MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pairs[i][0], &event) == 0);
		MUST(syscall(SYS_write, pairs[i][1], "x", 1) == 1);
	}
	wait_for_a_while("thin", 1, 400);
	wait_for_a_while("thick", PAIRS, 5000);
	wait_for_a_while("thin_again", 1, 400);
}

static const struct scenario scenarios[] = {
	SCENARIO(thin), SCENARIO(signalled), SCENARIO(timers), SCENARIO(thickens), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
