/* SPDX-License-Identifier: MIT */
/*
 * tr_learn HABIT: one thread that always does the same after a stall, or not. What strategy auto
 * makes of it is in the statistics; tests/transparency/test_learning.py judges.
 *
 *	yields	  waits in poll, each time
 *	spins	  tries again at once, each time
 *	mixed N	  spins N times on one listener's connections, then yields once on another's
 *	begins N  spins N times, then yields for good
 *	sleeps	  sleeps a millisecond between two tries
 *	crowd	  writes to 150 connections until EAGAIN, each, and then waits for all of them
 *
 * fact stalls: how many stalls the host saw, fact yields: after how many it waited.
 */
#include "tr_call.h"

#define ASKED 1000000
#define RESPONSES 40
#define CROWD 150

static struct door doors[2];
static int stalls, yields;

enum habit { SPIN, YIELD, SLEEP };

#define TRIES 6

static size_t one_try(const struct pair *p, size_t at)
{
	ssize_t r = op_write(p->fd, at, ASKED / 4);

	MUST(r > 0 || (r < 0 && errno == EAGAIN));
	stalls += r < ASKED / 4;
	return r > 0 ? (size_t)r : 0;
}

/* One response on a connection of its own, to a reader that begins to read a little later. */
static void respond(int door, enum habit habit)
{
	struct pair p = pair_open(&doors[door], 0);
	struct pollfd wanted = { .fd = p.fd, .events = POLLOUT };
	size_t got = 0, at = 0;

	for (int tries = 0; tries < TRIES; tries++) {
		at += one_try(&p, at);
		while (tries == 3 && got < at)
			take(p.peer, &got, NULL);
		if (habit == YIELD)
			yields++, poll(&wanted, 1, 1);
		else if (habit == SLEEP)
			sleep_us(1000);
	}
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, got, NULL) == at);
	syscall(SYS_close, p.peer);
}

/* Many connections, each written to until EAGAIN, as edge-triggered hosts do; then one wait. */
static void crowd(void)
{
	static struct pair p[CROWD];
	static struct pollfd wanted[CROWD];
	static size_t at[CROWD];

	for (int i = 0; i < CROWD; i++) {
		p[i] = pair_open(&doors[0], 0);
		wanted[i] = (struct pollfd){ .fd = p[i].fd, .events = POLLOUT };
	}
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < CROWD; i++)
			for (size_t n = 1; n; at[i] += n)
				n = one_try(&p[i], at[i]);
		yields++;
		poll(wanted, CROWD, 2);
	}
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[2]) : 0;
	const char *habit = argv[1];

	MUST(argc == 2 || argc == 3);
	watchdog(15);
	pattern_make();
	doors[0] = door_open(16384);
	doors[1] = door_open(16384);
	for (int i = 0; i < RESPONSES && strcmp(habit, "crowd"); i++) {
		if (!strcmp(habit, "mixed"))
			respond(i % (n + 1) == n, i % (n + 1) == n ? YIELD : SPIN);
		else if (!strcmp(habit, "begins"))
			respond(0, i < n ? SPIN : YIELD);
		else if (!strcmp(habit, "sleeps"))
			respond(0, SLEEP);
		else
			respond(0, !strcmp(habit, "yields") ? YIELD : SPIN);
	}
	if (!strcmp(habit, "crowd"))
		crowd();
	fact("stalls", stalls);
	fact("yields", yields);
	return 0;
}
