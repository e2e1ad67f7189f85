/* SPDX-License-Identifier: MIT */
/*
 * tr_reset NEXT OP: the reset arrives while the writer stands at the send of a retry, too late for
 * any check: the retry meets the error that was the host's to meet. The host's next calls are
 *
 *	write send sendmsg writev sendfile	(any call of tr_call.h)
 *	sendmmsg splice
 *	read	 the error, then the end of data
 *	dup	 write, by a number that the library has never seen (fcntl)
 *	known_dup the same by one it knows
 *	so_error either the error (and then EPIPE), or 0 and then the error: getsockopt is not
 *		 wrapped, so here the host may learn of it one call later than natively
 *
 * The call itself must return what was sent before, the next one ECONNRESET without a signal, and
 * those after it EPIPE with one each.
 */
#include "tr_call.h"
#include "tr_hold.h"

#define ASKED 1000000

static struct door door;
static struct pair pair;
static int other = -1; /* the same socket, or none */
static struct call call;
static const char *next;
static int holds;
static sem_t is_set, may_write, is_reset;
static volatile int is_done;
static volatile sig_atomic_t pipes;

static void on_pipe(int unused)
{
	(void)unused;
	pipes++;
}

static ssize_t by_sendmmsg(void)
{
	struct iovec iov = { tr_pattern, 100 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	return sendmmsg(pair.fd, &message, 1, 0);
}

static ssize_t by_splice(void)
{
	int ends[2];

	MUST(pipe(ends) == 0 && write(ends[1], "0123456789", 10) == 10);
	return splice(ends[0], NULL, pair.fd, NULL, 10, SPLICE_F_NONBLOCK);
}

static ssize_t next_call(void)
{
	char byte;

	for (enum op op = 0; op < OPS; op++)
		if (!strcmp(next, op_name[op]))
			return op_call(op, pair.fd, 0, 1000, 0);
	if (!strcmp(next, "sendmmsg"))
		return by_sendmmsg();
	if (!strcmp(next, "splice"))
		return by_splice();
	if (other >= 0)
		return op_write(other, 0, 1000);
	MUST(!strcmp(next, "read"));
	return read(pair.fd, &byte, 1);
}

static void must_fail(const char *what, ssize_t r, int error, int signals)
{
	if (r != -1 || errno != error || pipes != signals)
		die("%s %s: %zd errno %d, %d signals; wanted errno %d and %d", next, what, r, errno,
		    (int)pipes, error, signals);
}

static void check_errors(void)
{
	int error;

	if (!strcmp(next, "so_error")) {
		error = get_int(pair.fd, SOL_SOCKET, SO_ERROR);
		fact("so_error", error);
		next = "write";
		must_fail("after SO_ERROR", next_call(), error ? EPIPE : ECONNRESET, error != 0);
		return;
	}
	must_fail("first", next_call(), ECONNRESET, 0);
	if (!strcmp(next, "read")) {
		MUST(next_call() == 0 && next_call() == 0);
		next = "write";
	} else {
		must_fail("second", next_call(), EPIPE, 1);
	}
	must_fail("last", op_write(pair.fd, 0, 100), EPIPE, (int)pipes + 1);
}

static void *writer(void *unused)
{
	holds = hold_at(call.op == OP_SENDFILE ? SYS_sendfile : SYS_sendmsg, SYS_sendmsg);
	sem_post(&is_set);
	while (sem_wait(&may_write))
		;
	call.result = op_call(call.op, pair.fd, 0, ASKED, 0);
	if (call.result <= 0)
		die("the call: %zd", call.result);
	while (sem_wait(&is_reset))
		;
	if (!strcmp(next, "dup"))
		MUST((other = fcntl(pair.fd, F_DUPFD_CLOEXEC, 3)) >= 0);
	check_errors();
	is_done = 1;
	return unused;
}

int main(int argc, char **argv)
{
	int wanted, sendfiles;
	char byte;
	pthread_t thread;
	struct held held;

	MUST(argc == 3);
	watchdog(10);
	signal(SIGPIPE, on_pipe);
	pattern_make();
	next = argv[1];
	while (call.op < OPS && strcmp(argv[2], op_name[call.op]))
		call.op++;
	MUST(call.op < OPS);
	sem_init(&is_set, 0, 0), sem_init(&may_write, 0, 0), sem_init(&is_reset, 0, 0);
	door = door_open(16384);
	pair = pair_open(&door, 0);
	if (!strcmp(next, "known_dup"))
		MUST((other = dup(pair.fd)) >= 0 && recv(other, &byte, 1, MSG_DONTWAIT) == -1);
	MUST(pthread_create(&thread, NULL, writer, NULL) == 0);
	while (sem_wait(&is_set))
		;
	sem_post(&may_write);
	sendfiles = call.op == OP_SENDFILE;
	for (wanted = 1 + sendfiles; wanted && held_wait(holds, 40, &held); wanted--)
		if (wanted > 1)
			held_go(&held);
	fact("held", !wanted);
	reset_by(pair.peer);
	sem_post(&is_reset);
	if (!wanted)
		held_go(&held);
	while (!is_done)
		if (held_wait(holds, 5, &held))
			held_go(&held);
	MUST(pthread_join(thread, NULL) == 0);
	return 0;
}
