/* SPDX-License-Identifier: MIT */
/*
 * tr_cancel deferred|async ROUNDS: a thread that writes to a full socket is cancelled at a random
 * instant. Natively each write has returned, and been added up, long before: so the sum must be
 * what the peer got. Then another thread goes on with the same socket, which must work as well
 * as before: fact full, the rounds in which its write to a quick reader was finished in one call (what
 * strategy block does); fact close_tenths, how long the close took.
 */
#include "tr_call.h"

#define ASKED 1000000
#define REST 300000
#define LIMIT (PATTERN_BYTES - ASKED - REST)

static struct door door;

struct round {
	int fd, is_async, op;
	volatile size_t sum;
	sem_t begins;
};

static void *writer(void *argument)
{
	struct round *round = argument;
	ssize_t r;

	warm(&door, (enum op)round->op, ASKED, 0);
	/* From here on; before, it may not end: warming up has not counted. */
	MUST(pthread_setcanceltype(round->is_async ? PTHREAD_CANCEL_ASYNCHRONOUS
						   : PTHREAD_CANCEL_DEFERRED, NULL) == 0);
	sem_post(&round->begins);
	for (;;) {
		/* sendfile is no cancellation point. */
		if (!round->is_async)
			pthread_testcancel();
		if (round->sum > LIMIT)
			continue;
		r = op_call((enum op)round->op, round->fd, round->sum, ASKED, 0);
		if (r > 0)
			round->sum += (size_t)r;
		else if (r == 0 || errno != EAGAIN)
			die("%s: %zd", op_name[round->op], r);
	}
	return NULL;
}

struct reader {
	int fd;
	size_t got;
};

static void *reader_thread(void *argument)
{
	struct reader *r = argument;

	r->got = take_all(r->fd, r->got, NULL);
	return NULL;
}

/*
 * Calls that the second thread needs at most: 16 until it counts as the only writer of a response
 * the first began, then one that waits. A host left to itself needs thousands.
 */
#define CALLS_MOST 64

/* The same socket in other hands. Returns 1 when its writes were gone on with. */
static int go_on(const struct round *round, struct reader *reader, uint64_t *ret_close_ns)
{
	size_t at = round->sum, end = at + REST;
	pthread_t thread;
	int calls = 0;

	MUST(pthread_create(&thread, NULL, reader_thread, reader) == 0);
	for (; at < end; calls++) {
		ssize_t r = op_call((enum op)round->op, round->fd, at, end - at, 0);

		if (r == 0 || (r < 0 && errno != EAGAIN))
			die("writing on: %zd", r);
		at += r > 0 ? (size_t)r : 0;
	}
	*ret_close_ns = now_ns();
	MUST(close(round->fd) == 0);
	*ret_close_ns = now_ns() - *ret_close_ns;
	MUST(pthread_join(thread, NULL) == 0);
	if (reader->got != end)
		die("%zu were counted, the peer got %zu of the first thread", round->sum,
		    reader->got - REST);
	return calls <= CALLS_MOST;
}

static int play(int is_async, int number, unsigned *seed, uint64_t *ret_close_ns)
{
	struct pair p = pair_open(&door, 0);
	struct round round = { .fd = p.fd, .is_async = is_async, .op = number % OPS };
	struct reader reader = { .fd = p.peer };
	pthread_t thread;
	void *end;
	int is_full;

	MUST(sem_init(&round.begins, 0, 0) == 0);
	MUST(pthread_create(&thread, NULL, writer, &round) == 0);
	while (sem_wait(&round.begins))
		;
	/* Some time after its first bytes: natively nothing is lost then either. */
	sleep_us(3000 + (unsigned)rand_r(seed) % 3000);
	MUST(pthread_cancel(thread) == 0);
	MUST(pthread_join(thread, &end) == 0 && end == PTHREAD_CANCELED);
	is_full = go_on(&round, &reader, ret_close_ns);
	syscall(SYS_close, p.peer);
	return is_full;
}

int main(int argc, char **argv)
{
	unsigned seed = (unsigned)now_ns();
	int rounds, full = 0;
	uint64_t close_ns;

	MUST(argc == 3);
	watchdog(20);
	printf("seed %u\n", seed);
	pattern_make();
	door = door_open(16384);
	rounds = atoi(argv[2]);
	for (int i = 0; i < rounds; i++) {
		full += play(!strcmp(argv[1], "async"), i, &seed, &close_ns);
		fact("close_tenths", tenths_of_ms(0, close_ns));
	}
	fact("full", full);
	return 0;
}
