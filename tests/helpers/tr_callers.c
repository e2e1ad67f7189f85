/* SPDX-License-Identifier: MIT */
/*
 * tr_callers: one helper function writes for two users, each on a thread of its own, in turns, from
 * one listener and in equal sizes. One always tries again at once, the other always waits in poll.
 * Only who calls the helper tells their responses apart; tests/transparency/test_callers.py judges.
 *
 * fact spins, fact yields: stalls of either.
 */
#include "tr_call.h"

#define ASKED 250000
#define RESPONSES 40
#define TRIES 6

static struct door door;
static sem_t turns[2];
static int stalls[2];

/* The helper: the only place that writes. */
SITE ssize_t helper_write(int fd, size_t at)
{
	ssize_t r = write(fd, tr_pattern + at, ASKED);

	NO_TAIL_CALL(r);
	return r;
}

static void note(int user, ssize_t r, size_t *at)
{
	MUST(r > 0 || (r < 0 && errno == EAGAIN));
	stalls[user] += r < ASKED;
	*at += r > 0 ? (size_t)r : 0;
}

SITE int use_by_spinning(int fd, size_t *at)
{
	ssize_t r = helper_write(fd, *at);

	NO_TAIL_CALL(r);
	note(0, r, at);
	return 0;
}

SITE int use_by_yielding(int fd, size_t *at)
{
	struct pollfd wanted = { .fd = fd, .events = POLLOUT };
	ssize_t r = helper_write(fd, *at);

	NO_TAIL_CALL(r);
	note(1, r, at);
	return poll(&wanted, 1, 1);
}

/* One response on a connection of its own, to a reader that begins to read a little later. */
static void respond(int (*use)(int, size_t *))
{
	struct pair p = pair_open(&door, 0);
	size_t got = 0, at = 0;

	for (int tries = 0; tries < TRIES; tries++) {
		use(p.fd, &at);
		while (tries == 3 && got < at)
			take(p.peer, &got, NULL);
	}
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, got, NULL) == at);
	syscall(SYS_close, p.peer);
}

static void *user(void *number)
{
	int me = number != NULL;

	for (int i = 0; i < RESPONSES; i++) {
		sem_wait(&turns[me]);
		respond(me ? use_by_yielding : use_by_spinning);
		sem_post(&turns[!me]);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	watchdog(15);
	pattern_make();
	door = door_open(16384);
	for (int i = 0; i < 2; i++)
		MUST(sem_init(&turns[i], 0, !i) == 0);
	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&threads[i], NULL, user, i ? &door : NULL) == 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	fact("spins", stalls[0]);
	fact("yields", stalls[1]);
	return 0;
}
