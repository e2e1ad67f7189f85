/* SPDX-License-Identifier: MIT */
/*
 * tr_reuse METHOD ROUNDS OP: while a thread is in (or just after) a write on a full socket, another
 * thread ends the socket by METHOD, and in the cases of reuse the number is another client's at
 * once. No byte of the first client's may reach the second; the call ends with what was sent; the
 * first client learns of the end as soon as it does without us.
 *
 *	close dup2 close_range raw	reuse (raw: by syscall(SYS_close), which no wrapper sees)
 *	end_close end_dup2 end_close_range end_shut_wr end_shut_rdwr	the end alone
 *	end_linger	close with SO_LINGER 0: the reset is seen without reading
 *
 * Facts per round: end_tenths, from the end to the call's return (0 when it had returned); fin_tenths,
 * to what the peer saw; waiting, whether the call was still in progress.
 */
#include "tr_call.h"

#define ASKED 1000000
#define HURRY_US 12000 /* how long the call is left alone before the end */

static struct door door;

static int is(const char *method, const char *name)
{
	return !strcmp(method, name);
}

/* The second client's connection is made before: now its number is given out. */
static void reuse(const char *method, int fd)
{
	int got = is(method, "dup2") ? fd : accept(door.listener, NULL, NULL);

	if (got != fd)
		die("the number %d was not used again but %d", fd, got);
	set_nonblocking(fd);
}

static void end(const char *method, int fd, const struct pair *spare)
{
	if (!strncmp(method, "end_", 4))
		method += 4;
	if (is(method, "close"))
		MUST(close(fd) == 0);
	else if (is(method, "dup2"))
		MUST(dup2(spare->fd, fd) == fd);
	else if (is(method, "close_range"))
		MUST(close_range((unsigned)fd, (unsigned)fd, 0) == 0);
	else if (is(method, "raw"))
		MUST(syscall(SYS_close, fd) == 0);
	else if (is(method, "shut_wr"))
		MUST(shutdown(fd, SHUT_WR) == 0);
	else if (is(method, "shut_rdwr"))
		MUST(shutdown(fd, SHUT_RDWR) == 0);
	else
		die("no method %s", method);
}

/* The second client got nothing of the first's, and its connection works. */
static void check_second(int fd, int peer)
{
	size_t got = take_quiet(peer, 0);

	if (got)
		die("another client got %zu bytes that were not for it", got);
	MUST(op_write(fd, 0, 10) == 10 && take_quiet(peer, 0) == 10);
	MUST(close(fd) == 0);
	syscall(SYS_close, peer);
}

static size_t prefill(int fd)
{
	size_t at = 0;
	long n;

	for (;; at += (size_t)n) {
		n = syscall(SYS_sendto, fd, tr_pattern + at, 100000, 0, NULL, 0);
		if (n < 0)
			return at;
	}
}

static uint64_t linger_end(int fd, int peer)
{
	struct linger linger = { 1, 0 };
	struct pollfd p = { .fd = peer, .events = POLLRDHUP };

	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	MUST(close(fd) == 0);
	MUST(syscall(SYS_poll, &p, 1, 2000) == 1);
	return now_ns();
}

/* The end, and what comes right after it. Returns when the first client has seen it. */
static uint64_t finish(const char *method, const struct pair *p, const struct pair *spare,
		       size_t *ret_got)
{
	if (is(method, "end_linger"))
		return linger_end(p->fd, p->peer);
	end(method, p->fd, spare);
	if (strncmp(method, "end_", 4))
		reuse(method, p->fd);
	*ret_got = take_all(p->peer, 0, NULL);
	return now_ns();
}

static void play(const char *method, int round, enum op op)
{
	struct pair p = pair_open(&door, 0), spare = { -1, -1 };
	/* Every other round the call finds a socket that takes nothing at all. */
	size_t before = round % 2 ? prefill(p.fd) : 0, got = 0;
	struct call call = { .warm_on = &door, .op = op, .fd = p.fd, .at = before, .n = ASKED };
	uint64_t ended, seen;

	if (strstr(method, "dup2"))
		spare = pair_open(&door, 0);
	call_begin(&call);
	sleep_us(HURRY_US);
	if (strncmp(method, "end_", 4) && spare.fd < 0)
		spare.peer = dial(&door, 0);
	fact("waiting", !call.has_ended);
	ended = now_ns();
	seen = finish(method, &p, &spare, &got);
	call_end(&call);
	if (!is(method, "end_linger") && got != before + call_sent(&call))
		die("the call returned %zd (%d), %zu were sent before, the peer got %zu",
		    call.result, call.error, before, got);
	fact("end_tenths", tenths_of_ms(ended, call.end_ns));
	fact("fin_tenths", tenths_of_ms(ended, seen));
	if (strncmp(method, "end_", 4))
		check_second(p.fd, spare.peer);
	else if (strstr(method, "dup2") || strstr(method, "shut"))
		MUST(close(p.fd) == 0);
	syscall(SYS_close, p.peer);
	if (spare.fd >= 0)
		MUST(close(spare.fd) == 0);
	if (!strncmp(method, "end_", 4) && spare.peer >= 0)
		syscall(SYS_close, spare.peer);
}

int main(int argc, char **argv)
{
	enum op op = OP_WRITE;

	MUST(argc == 4);
	watchdog(15);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	while (op < OPS && strcmp(argv[3], op_name[op]))
		op++;
	MUST(op < OPS);
	for (int round = 0; round < atoi(argv[2]); round++)
		play(argv[1], round, op);
	return 0;
}
