/* SPDX-License-Identifier: MIT */
/*
 * tr_vector SCENE:
 *
 *	pieces	writev and sendmsg of 1 to 1024 pieces, with empty ones first, last, everywhere and
 *		alone, to a reader that is slow: every byte once, in order, the host's array unchanged
 *	faults	arrays and pieces at the edge of mapped memory and beyond: said, as bare
 */
#include "tr_call.h"

#define TOTAL 1500000
#define MAX 1024

static struct door door;

/* ---- pieces ---------------------------------------------------------------------------- */

enum empties { NONE, FIRST, LAST, EVERY_SECOND, KINDS };

struct reader {
	int fd;
	size_t got;
};

static void *reader_thread(void *argument)
{
	struct reader *r = argument;

	while (!take(r->fd, &r->got, NULL))
		sleep_us(300);
	return NULL;
}

/* Cuts n bytes of the pattern from `at` into `count` pieces. Returns the bytes they hold. */
static size_t cut(struct iovec *iov, int count, enum empties kind, size_t at, size_t n)
{
	int full = kind == NONE ? count : kind == EVERY_SECOND ? (count + 1) / 2 : count - 1;
	size_t step = full ? n / (size_t)full : 0, done = 0;

	for (int i = 0; i < count; i++) {
		int is_empty = (kind == FIRST && i == 0) || (kind == LAST && i == count - 1) ||
			       (kind == EVERY_SECOND && i % 2);

		iov[i].iov_base = is_empty ? NULL : tr_pattern + at + done;
		iov[i].iov_len = is_empty ? 0 : step;
		done += is_empty ? 0 : step;
	}
	return done;
}

static ssize_t send_vector(int is_message, int fd, struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)count };
	ssize_t r = is_message ? sendmsg(fd, &message, 0) : writev(fd, iov, count);

	NO_TAIL_CALL(r);
	return r;
}

/* Writes TOTAL bytes in vectors of `count`; tries again where it got stuck, as hosts do. */
static void play_pieces(int is_message, int count, enum empties kind)
{
	static struct iovec iov[MAX], kept[MAX];
	struct pair p = pair_open(&door, 16384);
	struct reader reader = { .fd = p.peer };
	pthread_t thread;
	size_t at = 0;

	MUST(pthread_create(&thread, NULL, reader_thread, &reader) == 0);
	while (at < TOTAL / 4) {
		size_t n = cut(iov, count, kind, at, 150000);
		ssize_t r;

		memcpy(kept, iov, sizeof(iov));
		r = send_vector(is_message, p.fd, iov, count);
		if (r < 0 ? errno != EAGAIN : (r == 0 && n) || (size_t)r > n)
			die("%d pieces: %zd of %zu", count, r, n);
		if (memcmp(kept, iov, sizeof(iov)))
			die("the host's array was changed");
		at += r > 0 ? (size_t)r : 0;
		if (!n && r == 0)
			break;
	}
	MUST(close(p.fd) == 0 && pthread_join(thread, NULL) == 0);
	if (reader.got != at)
		die("%d pieces: %zu sent, %zu received", count, at, reader.got);
	syscall(SYS_close, p.peer);
}

/* Nothing but empty pieces: 0, on a full socket too. */
static void play_empty(int is_message)
{
	struct pair p = pair_open(&door, 0);
	static struct iovec iov[MAX];

	memset(iov, 0, sizeof(iov));
	for (int full = 0; full < 2; full++) {
		for (int count = 0; count <= MAX; count += 256) {
			ssize_t r = send_vector(is_message, p.fd, iov, count);

			printf("said %d empty pieces, full %d: %zd %d\n", count, full, r, r < 0 ? errno : 0);
		}
		while (syscall(SYS_sendto, p.fd, tr_pattern, 100000, 0, NULL, 0) > 0)
			;
	}
	MUST(close(p.fd) == 0);
	syscall(SYS_close, p.peer);
}

/* ---- faults ---------------------------------------------------------------------------- */

#define BEFORE_EDGE 65536

static char *edge; /* the first byte that is not mapped; before it lie 64 KB */
static int is_full; /* then it is chance which comes first, EAGAIN or EFAULT */

static void say(const char *what, ssize_t r)
{
	if (is_full && r < 0 && errno != EAGAIN && errno != EFAULT && errno != EINVAL)
		die("%s on a full socket", what);
	if (!is_full)
		printf("said %s %zd %d\n", what, r, r < 0 ? errno : 0);
}

/* The compiler warns of the very misuse under test. */
static volatile int minus_one = -1;

#define FAR ((void *)(uintptr_t)0x7ff000000000)

static void play_faults_on(struct pair p, const char *name)
{
	struct iovec *iov = (struct iovec *)edge - 2; /* two of them are there, a third is not */
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 }, *half = (void *)(edge - 24);
	off_t *offset = FAR, from = 0;

	printf("said -- %s\n", name);
	iov[0] = iov[1] = (struct iovec){ tr_pattern, 700 };
	say("at the edge", writev(p.fd, iov, 2));
	say("beyond", writev(p.fd, iov, 3));
	say("message at the edge", sendmsg(p.fd, &message, 0));
	message.msg_iovlen = 3;
	say("message beyond", sendmsg(p.fd, &message, 0));
	say("header cut", sendmsg(p.fd, half, 0));
	say("no header", sendmsg(p.fd, FAR, 0));
	message = (struct msghdr){ .msg_iov = FAR, .msg_iovlen = 2 };
	say("no array", sendmsg(p.fd, &message, 0));
	say("no array by writev", writev(p.fd, FAR, 2));
	say("too many", writev(p.fd, iov, MAX + 1));
	say("negative", writev(p.fd, iov, minus_one));
	say("no buffer", write(p.fd, FAR, 5000));
	say("no buffer by send", send(p.fd, FAR, 5000, 0));
	say("no offset", sendfile(p.fd, tr_file, offset, 5000));
	iov[1].iov_base = FAR;
	say("second piece nowhere", writev(p.fd, iov, 2));
	iov[0].iov_base = FAR;
	say("both nowhere", writev(p.fd, iov, 2));
	iov[0] = (struct iovec){ edge - 1000, 2000 };
	say("piece over the edge", writev(p.fd, iov, 1));
	say("buffer over the edge", write(p.fd, edge - 1000, 2000));
	/* An error of the arguments is that call's alone: the next one is healthy. */
	say("healthy", write(p.fd, tr_pattern, 2000));
	/* Here the kernel sends the good part: a short count that is no stall. */
	say("much over the edge", write(p.fd, edge - 40000, 80000) > 20000);
	drain(p.peer);
	say("healthy", write(p.fd, tr_pattern, 2000));
	iov[0] = (struct iovec){ tr_pattern, 40000 }, iov[1] = (struct iovec){ FAR, 40000 };
	say("much, then nowhere", writev(p.fd, iov, 2) > 20000);
	drain(p.peer);
	say("healthy", sendfile(p.fd, tr_file, &from, 2000));
	iov[0].iov_len = (size_t)-1;
	say("length too long", writev(p.fd, iov, 1));
	say("write too long", write(p.fd, tr_pattern, (size_t)minus_one));
	say("healthy", send(p.fd, tr_pattern, 2000, 0));
}

static void play_faults(void)
{
	struct pair p;

	edge = mmap(NULL, BEFORE_EDGE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(edge != MAP_FAILED && munmap(edge + BEFORE_EDGE, 4096) == 0);
	edge += BEFORE_EDGE;
	play_faults_on(pair_open(&door, 0), "tcp");
	play_faults_on(unix_open(), "unix");
	is_full = 1;
	p = pair_open(&door, 0);
	while (syscall(SYS_sendto, p.fd, tr_pattern, 100000, 0, NULL, 0) > 0)
		;
	sleep_us(3000);
	while (syscall(SYS_sendto, p.fd, tr_pattern, 1, 0, NULL, 0) > 0)
		;
	play_faults_on(p, "full tcp");
}

int main(int argc, char **argv)
{
	static const int counts[] = { 1, 2, 3, 63, 64, 65, 128, 1000, 1023, 1024 };

	MUST(argc == 2);
	watchdog(15);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(strcmp(argv[1], "faults") ? 16384 : 300000);
	if (!strcmp(argv[1], "faults")) {
		play_faults();
		return 0;
	}
	for (int is_message = 0; is_message < 2; is_message++) {
		for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
			for (enum empties kind = 0; kind < KINDS; kind++)
				if (counts[i] > 1 || kind == NONE)
					play_pieces(is_message, counts[i], kind);
		play_empty(is_message);
	}
	return 0;
}
