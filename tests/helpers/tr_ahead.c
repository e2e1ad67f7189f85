/* SPDX-License-Identifier: MIT */
/*
 * tr_ahead SCENE: buffers that grow before the first stall, and how far.
 *
 *	class	one response of 1 MB in 4 KB chunks per connection, then close. fact stalls: of each
 *		connection in turn
 *	file	sendfile with a count far beyond a small file, and beyond one of 300 KB
 *	length	a write longer than any buffer. fact sndbuf: right after it
 *	lowat	the same where the host has set TCP_NOTSENT_LOWAT
 *	budget	40 connections with long writes, one with another long one, one with a short
 *		one. facts grown: bytes added to all; late_large, late_small: to the last two;
 *		again: to one more when the others are closed
 *	threads	the same, the 40 from as many threads at once
 */
#include "tr_call.h"

#define RESPONSE (1u << 20)
#define CHUNK 4096
#define CONNECTIONS 12
#define CROWD 40
#define SHORT_WRITE 60000 /* more than the buffer holds, far less than RESPONSE */

static struct door door;

static int sndbuf_of(int fd)
{
	int value = 0;
	socklen_t bytes = sizeof(value);

	MUST(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDBUF, &value, &bytes) == 0);
	return value;
}

/* ---- class memory ---------------------------------------------------------------------- */

static void *reader_thread(void *argument)
{
	int fd = *(int *)argument;
	size_t got = 0;

	while (!take(fd, &got, NULL))
		sleep_us(500);
	if (got != RESPONSE)
		die("%zu bytes received", got);
	return NULL;
}

/* A host that waits when it must, as it should. */
static void serve_one(void)
{
	struct pair p = pair_open(&door, 0);
	struct pollfd wanted = { .events = POLLOUT };
	pthread_t thread;
	size_t at = 0;
	int stalls = 0;

	MUST(pthread_create(&thread, NULL, reader_thread, &p.peer) == 0);
	while (at < RESPONSE) {
		size_t n = RESPONSE - at < CHUNK ? RESPONSE - at : CHUNK;
		ssize_t r = op_write(p.fd, at, n);

		MUST(r > 0 || errno == EAGAIN);
		at += r > 0 ? (size_t)r : 0;
		if (r == (ssize_t)n)
			continue;
		stalls++;
		wanted.fd = p.fd;
		poll(&wanted, 1, 1000);
	}
	fact("stalls", stalls);
	MUST(close(p.fd) == 0 && pthread_join(thread, NULL) == 0);
	syscall(SYS_close, p.peer);
}

/* ---- how far --------------------------------------------------------------------------- */

static void play_file(size_t bytes)
{
	struct pair p = pair_open(&door, 0);
	int file = (int)syscall(SYS_memfd_create, "small", 0), before = sndbuf_of(p.fd);
	ssize_t r;

	MUST(syscall(SYS_write, file, tr_pattern, bytes) == (long)bytes && lseek(file, 0, SEEK_SET) == 0);
	r = sendfile(p.fd, file, NULL, 1u << 30);
	MUST(r > 0 && r <= (ssize_t)bytes);
	fact(bytes < 10000 ? "small_grown" : "large_grown", sndbuf_of(p.fd) - before);
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, 0, NULL) == (size_t)r);
}

static void play_length(int has_lowat)
{
	struct pair p = pair_open(&door, 0);
	size_t got = 0, at;
	ssize_t r;

	if (has_lowat)
		set_int(p.fd, IPPROTO_TCP, 25 /* TCP_NOTSENT_LOWAT */, 16384);
	fact("before", sndbuf_of(p.fd));
	r = op_write(p.fd, 0, PATTERN_BYTES);
	MUST(r > 0);
	fact("sndbuf", sndbuf_of(p.fd));
	/* Some traffic, after which auto-tuning has done what it will do. */
	for (at = (size_t)r; at < 800000; at += r > 0 ? (size_t)r : 0) {
		take(p.peer, &got, NULL);
		r = op_write(p.fd, at, 1000000);
	}
	fact("later", sndbuf_of(p.fd));
	MUST(close(p.fd) == 0 && take_all(p.peer, got, NULL) == at);
}

/* ---- the budget ------------------------------------------------------------------------ */

static struct pair crowd[CROWD];
static pthread_barrier_t together;

static void *long_writer(void *argument)
{
	struct pair *p = argument;

	pthread_barrier_wait(&together);
	MUST(op_write(p->fd, 0, RESPONSE) > 0);
	return NULL;
}

/* How much one more connection's buffer grows for a write; all of it is in the fact "grown" too. */
static struct pair serve_late(const char *name, size_t bytes, int before, long *ret_grown)
{
	struct pair p = pair_open(&door, 0);
	long grown;

	MUST(op_write(p.fd, 0, bytes) > 0);
	grown = sndbuf_of(p.fd) - before;
	fact(name, grown);
	*ret_grown += grown;
	return p;
}

static void crowd_writes(int is_threaded)
{
	pthread_t threads[CROWD];

	MUST(pthread_barrier_init(&together, NULL, CROWD) == 0);
	for (int i = 0; i < CROWD; i++) {
		if (is_threaded)
			MUST(pthread_create(&threads[i], NULL, long_writer, &crowd[i]) == 0);
		else
			MUST(op_write(crowd[i].fd, 0, RESPONSE) > 0);
	}
	for (int i = 0; i < CROWD && is_threaded; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
}

static void end_pair(struct pair p)
{
	MUST(close(p.fd) == 0);
	syscall(SYS_close, p.peer);
}

static void play_budget(int is_threaded)
{
	struct pair large, small, again;
	long grown = 0, unused = 0;
	int before;

	for (int i = 0; i < CROWD; i++)
		crowd[i] = pair_open(&door, 0);
	before = sndbuf_of(crowd[0].fd);
	crowd_writes(is_threaded);
	for (int i = 0; i < CROWD; i++)
		grown += sndbuf_of(crowd[i].fd) - before;
	large = serve_late("late_large", RESPONSE, before, &grown);
	small = serve_late("late_small", SHORT_WRITE, before, &grown);
	fact("grown", grown);
	for (int i = 0; i < CROWD; i++)
		end_pair(crowd[i]);
	end_pair(large), end_pair(small);
	again = serve_late("again", RESPONSE, before, &unused);
	end_pair(again);
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	watchdog(15);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	for (int i = 0; i < CONNECTIONS && !strcmp(argv[1], "class"); i++)
		serve_one();
	if (!strcmp(argv[1], "class"))
		return 0;
	if (!strcmp(argv[1], "file"))
		play_file(5000), play_file(300000);
	else if (!strcmp(argv[1], "budget") || !strcmp(argv[1], "threads"))
		play_budget(!strcmp(argv[1], "threads"));
	else
		play_length(!strcmp(argv[1], "lowat"));
	return 0;
}
