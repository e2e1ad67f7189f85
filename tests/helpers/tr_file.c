/* SPDX-License-Identifier: MIT */
/*
 * tr_file SCENE: sendfile and splice, where a short count or EAGAIN may be the source's doing.
 *
 *	end	to the end of the file, counts beyond it, positions beyond it, with and without
 *		offset, on a free and on a full socket
 *	shrink	the file is cut while it is sent to a slow reader
 *	grow	the file grows while it is sent
 *	splice	from empty, ended and full pipes to free and full sockets
 *
 * Every call that cannot send anything must say so at once: fact slowest_tenths.
 */
#include "tr_call.h"

#include <sys/stat.h>

static struct door door;

static void say(const char *what, ssize_t r)
{
	printf("said %s %zd %d\n", what, r, r < 0 ? errno : 0);
}

static int file_of(size_t bytes)
{
	int fd = (int)syscall(SYS_memfd_create, "file", 0);

	MUST(fd >= 0);
	MUST(syscall(SYS_write, fd, tr_pattern, bytes) == (long)bytes);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* A call that has nothing to send. */
static ssize_t idle_sendfile(int fd, int file, off_t *offset, size_t n)
{
	ssize_t r;

	QUICK(r, sendfile(fd, file, offset, n));
	return r;
}

static void fill(int fd)
{
	while (syscall(SYS_sendto, fd, tr_pattern, 100000, 0, NULL, 0) > 0)
		;
}

/* ---- the end of the file --------------------------------------------------------------- */

static void play_end_on(int is_full)
{
	struct pair p = pair_open(&door, 0);
	int file = file_of(5000);
	off_t offset = 1000;

	if (is_full)
		fill(p.fd);
	else
		say("beyond the end", sendfile(p.fd, file, &offset, 100000));
	offset = 5000;
	say("at the end", idle_sendfile(p.fd, file, &offset, 1000));
	say("offset", offset);
	offset = 9000;
	say("past the end", idle_sendfile(p.fd, file, &offset, 1000));
	say("nothing", idle_sendfile(p.fd, file, NULL, 0));
	if (!is_full)
		say("by position", sendfile(p.fd, file, NULL, 100000));
	say("position", lseek(file, 0, SEEK_CUR));
	MUST(lseek(file, 0, SEEK_END) == 5000);
	say("at the end by position", idle_sendfile(p.fd, file, NULL, 1000));
	MUST(close(p.fd) == 0 && close(file) == 0);
	syscall(SYS_close, p.peer);
}

/* ---- a file that changes --------------------------------------------------------------- */

#define BEGIN_BYTES 900000

struct reader {
	int fd;
	int is_content_known; /* cutting a file blanks pages that are still on their way */
	size_t got;
};

static void *reader_thread(void *argument)
{
	struct reader *r = argument;
	char byte;

	while (r->is_content_known && !take(r->fd, &r->got, NULL))
		sleep_us(400);
	while (!r->is_content_known && syscall(SYS_recvfrom, r->fd, &byte, 1, MSG_PEEK, NULL, NULL) > 0) {
		r->got += drain_now(r->fd);
		sleep_us(400);
	}
	return NULL;
}

struct change {
	int file;
	int is_growth;
};

static void *change_thread(void *argument)
{
	struct change *c = argument;

	for (int i = 1; i <= 20; i++) {
		sleep_us(300);
		if (c->is_growth)
			MUST(pwrite(c->file, tr_pattern + BEGIN_BYTES + (i - 1) * 30000, 30000,
				    BEGIN_BYTES + (i - 1) * 30000) == 30000);
		else
			MUST(ftruncate(c->file, BEGIN_BYTES - i * 40000) == 0);
	}
	return NULL;
}

static void play_change(int is_growth, int has_offset)
{
	struct pair p;
	struct change change = { file_of(BEGIN_BYTES), is_growth };
	struct reader reader = { .is_content_known = is_growth };
	off_t offset = 0, *at = has_offset ? &offset : NULL;
	pthread_t threads[2];
	size_t sent = 0, wanted = BEGIN_BYTES + 600000;
	ssize_t r;

	warm(&door, OP_SENDFILE, 2000000, 0);
	p = pair_open(&door, 16384);
	reader.fd = p.peer;
	MUST(pthread_create(&threads[0], NULL, reader_thread, &reader) == 0);
	MUST(pthread_create(&threads[1], NULL, change_thread, &change) == 0);
	for (;;) {
		r = sendfile(p.fd, change.file, at, 2000000);
		if (r < 0 && errno != EAGAIN)
			die("sendfile: %zd", r);
		sent += r > 0 ? (size_t)r : 0;
		/* 0 is the end for now: a growing file goes on until all has come. */
		if (r == 0 && (!is_growth || sent == wanted))
			break;
	}
	if (has_offset ? offset != (off_t)sent : lseek(change.file, 0, SEEK_CUR) != (off_t)sent)
		die("sent %zu, but the position is elsewhere", sent);
	MUST(pthread_join(threads[1], NULL) == 0);
	MUST(close(p.fd) == 0 && pthread_join(threads[0], NULL) == 0);
	if (reader.got != sent)
		die("%zu sent, %zu received", sent, reader.got);
	syscall(SYS_close, p.peer), close(change.file);
}

/* ---- splice ---------------------------------------------------------------------------- */

static ssize_t idle_splice(int in, int out, unsigned flags)
{
	ssize_t r;

	QUICK(r, splice(in, NULL, out, NULL, 100000, flags));
	return r;
}

static void play_splice(void)
{
	struct pair p = pair_open(&door, 0), full = pair_open(&door, 0);
	int ends[2];

	fill(full.fd);
	MUST(pipe2(ends, O_NONBLOCK) == 0);
	for (unsigned flags = 0; flags < 3; flags += SPLICE_F_NONBLOCK) {
		say("empty pipe", idle_splice(ends[0], p.fd, flags));
		MUST(write(ends[1], tr_pattern, 30000) == 30000);
		say("full socket", idle_splice(ends[0], full.fd, flags) < 0);
		say("full pipe", splice(ends[0], NULL, p.fd, NULL, 100000, flags) > 0);
		while (splice(ends[0], NULL, p.fd, NULL, 100000, SPLICE_F_NONBLOCK) > 0)
			;
	}
	MUST(close(ends[1]) == 0);
	say("ended pipe", idle_splice(ends[0], p.fd, SPLICE_F_NONBLOCK));
	MUST(close(p.fd) == 0 && close(full.fd) == 0 && close(ends[0]) == 0);
	syscall(SYS_close, p.peer), syscall(SYS_close, full.peer);
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	watchdog(3);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	if (!strcmp(argv[1], "end")) {
		play_end_on(0);
		play_end_on(1);
	} else if (!strcmp(argv[1], "splice")) {
		play_splice();
	} else {
		play_change(!strcmp(argv[1], "grow"), 0);
		play_change(!strcmp(argv[1], "grow"), 1);
	}
	fact("slowest_tenths", tenths_of_ms(0, slowest_ns));
	return 0;
}
