/* SPDX-License-Identifier: MIT */
/*
 * Workers with a set each on one listener: how many wake for a connection, and whether anybody
 * hears of one when the worker that was woken does not take it.
 *	ct_workers SCENARIO
 */
#include "ct.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static struct sockaddr_in address;
static int listener;
static struct epoll_event events[8];

static void watch(int set, int op, uint32_t mask)
{
	struct epoll_event event = { .events = mask, .data.u64 = 1ull << 40 | (uint64_t)set };

	MUST(epoll_ctl(set, op, listener, &event) == 0);
}

#define WORKERS 4
static struct {
	uint32_t wakes, accepts;
} *board;

/* How often a process went to sleep: also after wake-ups which epoll_wait kept for itself. */
static uint32_t sleeps_of(pid_t pid)
{
	char path[64], line[256];
	uint32_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %u", &n);
	if (f)
		fclose(f);
	return n;
}

static int keeps; /* the connections stay open */

static void work(int me)
{
	int set = epoll_create1(0);

	sleep_us((unsigned)me * 20000); /* the kernel's order is that of the ADDs */
	watch(set, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		int fd;

		MUST(epoll_wait(set, events, 8, 10000) == 1 && events[0].events == EPOLLIN);
		board[me].wakes++;
		fd = accept(listener, NULL, NULL);
		MUST(fd >= 0 || errno == EAGAIN);
		if (fd < 0)
			continue;
		board[me].accepts++;
		MUST(write(fd, "x", 1) == 1 && (keeps || close(fd) == 0));
	}
}

static void get_served(void)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	struct pollfd in = { fd, POLLIN, 0 };
	char c;

	MUST(syscall(SYS_connect, fd, &address, sizeof(address)) == 0);
	if (poll(&in, 1, 2000) != 1)
		die("a connection waits though workers sleep");
	MUST(syscall(SYS_read, fd, &c, 1) == 1 && syscall(SYS_close, fd) == 0);
}

static void start(pid_t *pids, int n, void (*run)(int))
{
	listener = tcp_listener(&address);
	set_nonblocking(listener);
	board = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			MUST(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
			run(i);
			_exit(0);
		}
	}
	sleep_us(100000 + (unsigned)n * 20000);
}

static void stop(const pid_t *pids, int n)
{
	for (int i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		MUST(waitpid(pids[i], NULL, 0) == pids[i]);
	}
}

/* One connection at a time, all workers asleep: natively each wakes all of them. */
static void herd(void)
{
	uint32_t before = 0, wakes = 0, most = 0;
	pid_t pids[WORKERS];

	start(pids, WORKERS, work);
	for (int i = 0; i < 600; i++) {
		if (i == 400)
			for (int w = 0; w < WORKERS; w++) {
				before += sleeps_of(pids[w]);
				board[w].accepts = 0;
			}
		get_served();
		sleep_us(500);
	}
	for (int w = 0; w < WORKERS; w++) {
		fact("accepts_of_worker", board[w].accepts);
		wakes += sleeps_of(pids[w]);
		most = board[w].accepts > most ? board[w].accepts : most;
	}
	fact("wakes", wakes - before);
	fact("most", most);
	fact("pids", (uint64_t)pids[0]);
	stop(pids, WORKERS);
}

static void herd_kept(void)
{
	keeps = 1;
	herd();
}

/* All but the last run when nobody else wants to: woken each time, they never see a connection. */
static void work_at_leisure(int me)
{
	struct sched_param none = { 0 };

	if (me < WORKERS - 1)
		MUST(sched_setscheduler(0, SCHED_IDLE, &none) == 0);
	work(me);
}

/* One worker is always the quickest: the others' wait never returns. */
static void quickest(void)
{
	uint32_t wakes = 0;
	pid_t pids[WORKERS];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	MUST(sched_setaffinity(0, sizeof(one), &one) == 0);
	start(pids, WORKERS, work_at_leisure);
	for (int i = 0; i < 150; i++) {
		get_served();
		sleep_us(500);
	}
	for (int w = 0; w < WORKERS; w++)
		wakes += sleeps_of(pids[w]);
	fact("wakes", wakes);
	fact("most", board[WORKERS - 1].accepts);
	stop(pids, WORKERS);
}

static const char *how;

/* The first worker is the kernel's favourite; woken, it does not accept. The second sleeps. */
static void refuse(int me)
{
	int set = epoll_create1(0), n = 0;
	struct rlimit none = { 4, 4 };

	if (me == 1)
		sleep_us(50000);
	watch(set, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		int fd;

		MUST(epoll_wait(set, events, 8, 10000) == 1);
		if (me == 0 && ++n > 40) {
			board[0].wakes = 1;
			if (!strcmp(how, "unregisters"))
				watch(set, EPOLL_CTL_DEL, 0);
			else if (!strcmp(how, "disarms"))
				watch(set, EPOLL_CTL_MOD, 0);
			else if (!strcmp(how, "closes"))
				MUST(close(listener) == 0);
			else if (!strcmp(how, "closes_set"))
				MUST(close(set) == 0);
			else if (!strcmp(how, "ignores"))
				MUST(epoll_wait(set, events, 8, 1000) >= 0);
			else if (!strcmp(how, "has_no_descriptors"))
				MUST(setrlimit(RLIMIT_NOFILE, &none) == 0 &&
				     accept(listener, NULL, NULL) == -1 && errno == EMFILE);
			sleep_us(20000000);
		}
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		board[me].accepts++;
		MUST(write(fd, "x", 1) == 1 && close(fd) == 0);
	}
}

static void favourite(const char *name)
{
	pid_t pids[2];

	how = name;
	start(pids, 2, refuse);
	/* Until it has happened, whoever the kernel favours, and somewhat beyond. */
	for (uint32_t n = 0, after = 0; after < 60; n++) {
		MUST(n < 10000);
		get_served();
		sleep_us(300);
		after += *(volatile uint32_t *)&board[0].wakes;
	}
	fact("second", board[1].accepts);
	fact("pids", (uint64_t)pids[0]);
	stop(pids, 2);
}

static void unregisters(void) { favourite("unregisters"); }
static void disarms(void) { favourite("disarms"); }
static void closes(void) { favourite("closes"); }
static void closes_set(void) { favourite("closes_set"); }
static void ignores(void) { favourite("ignores"); }
static void has_no_descriptors(void) { favourite("has_no_descriptors"); }

static const struct scenario scenarios[] = {
	SCENARIO(herd), SCENARIO(herd_kept), SCENARIO(quickest), SCENARIO(unregisters), SCENARIO(disarms), SCENARIO(closes),
	SCENARIO(closes_set), SCENARIO(ignores), SCENARIO(has_no_descriptors), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
