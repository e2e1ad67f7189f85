/* SPDX-License-Identifier: MIT */
/*
 * A reactor on a processor that others want too, whose waits bring one event each.
 *	ct_gather SCENARIO
 * The reactor, a producer that writes a byte to one of eight sockets and pauses, and a process that
 * computes share it.
 */
#include "ct.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#define PAIRS 8
#define BYTES 4000u

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

static void produce(void)
{
	for (unsigned i = 0; i < BYTES; i++) {
		MUST(syscall(SYS_write, pairs[i % PAIRS][1], "x", 1) == 1);
		if (signals_every && i % (unsigned)signals_every == 0)
			kill(getppid(), SIGUSR1);
		sleep_us(1); /* and the timers' slack */
	}
}

static void on_usr1(int number)
{
	(void)number;
	handled++;
}

static int wait_for_events(struct epoll_event *events, int max, unsigned turn)
{
	sigset_t none;

	sigemptyset(&none);
	errno = 99;
	switch (turn % 3) {
	case 0:
		return signals_every ? epoll_pwait(epfd, events, max, 20000, &none)
				     : epoll_wait(epfd, events, max, -1);
	case 1:
		return epoll_pwait(epfd, events, max, -1, &none);
	default:
		return epoll_pwait2(epfd, events, max, NULL, &none);
	}
}

static void serve(void)
{
	struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	struct epoll_event events[PAIRS];
	unsigned got = 0, waits = 0, interrupted = 0;
	pid_t producer, computer;
	char room[64];

	stay_on_one_processor();
	/* Taken in waits only: each handler that runs ends one. */
	MUST(sigaction(SIGUSR1, &action, NULL) == 0);
	if (signals_every) {
		sigset_t usr1;

		sigemptyset(&usr1);
		sigaddset(&usr1, SIGUSR1);
		MUST(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	}
	epfd = epoll_create1(0);
	for (int i = 0; i < PAIRS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		tcp_pair(0, pairs[i]);
		MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pairs[i][0], &event) == 0);
	}
	computer = child(compute);
	producer = child(produce);
	while (got < BYTES) {
		int n = wait_for_events(events, PAIRS, waits++);

		if (n < 0) {
			MUST(errno == EINTR);
			interrupted++;
			continue;
		}
		MUST(n > 0 && errno == 99);
		for (int i = 0; i < n; i++) {
			ssize_t r = recv(pairs[events[i].data.u32][0], room, sizeof(room), 0);

			MUST(r > 0);
			got += (unsigned)r;
		}
	}
	MUST(waitpid(producer, NULL, 0) == producer);
	MUST(kill(computer, SIGKILL) == 0 && waitpid(computer, NULL, 0) == computer);
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

#define S(name) { #name, name }
static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = { S(thin), S(signalled), S(timers) };

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (argc == 1)
			puts(scenarios[i].name);
		else if (!strcmp(argv[1], scenarios[i].name))
			scenarios[i].run();
	}
	return 0;
}
