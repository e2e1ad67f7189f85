/* SPDX-License-Identifier: MIT */
/*
 * tr_race SCENE OP: races between a retry and the end of its socket, played in a fixed order. The
 * writer is held at the send of a retry, which is after the library made sure whose the
 * descriptor is.
 *
 *	sending	  the writer stands at its send when another thread closes the descriptor and a
 *		  second client gets the number; the closer is slow to be let in, the writer slow
 *		  to go on (a busy machine)
 *	closing	  the closer has told the library and stands at its close when the writer begins a
 *		  write; then the writer stands at its send, the close happens, the number is used
 *		  again, and the writer goes on
 *	handler	  a signal handler closes the descriptor of the write it has interrupted
 *
 * In each the second client must get nothing, and the first exactly what the call returned.
 */
#include "tr_call.h"
#include "tr_hold.h"

#define ASKED 1000000
#define PATIENCE_MS 200

static struct door door;
static struct pair first;
static int second_peer;
static volatile int accepted = -1, is_closed;

static int writer_holds, closer_holds;
static sem_t writer_set, closer_set, may_write, may_close, may_end;

static void must_wait(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static struct call call;

static void *writer(void *unused)
{
	warm(&door, call.op, ASKED, 0);
	writer_holds = hold_at(call.op == OP_SENDFILE ? SYS_sendfile : SYS_sendmsg, SYS_sendmsg);
	sem_post(&writer_set);
	must_wait(&may_write);
	call.result = op_call(call.op, first.fd, 0, ASKED, 0);
	call.error = errno;
	call.has_ended = 1;
	must_wait(&may_end);
	return unused;
}

/* Closes the first client's descriptor; the second client gets the number at once. */
static void close_and_accept(void)
{
	MUST(close(first.fd) == 0);
	is_closed = 1;
	accepted = accept(door.listener, NULL, NULL);
	MUST(accepted == first.fd);
	set_nonblocking(accepted);
}

static void *closer(void *is_held)
{
	if (is_held)
		closer_holds = hold_at(SYS_close, SYS_close);
	sem_post(&closer_set);
	must_wait(&may_close);
	close_and_accept();
	return NULL;
}

/* Lets every call of the writer go on until it has ended. */
static void release_writer(void)
{
	struct held held;

	while (!call.has_ended)
		if (held_wait(writer_holds, 20, &held))
			held_go(&held);
	sem_post(&may_end);
}

/* The writer's own sendfile is held too: that one is the host's call. */
static int at_retry(struct held *ret)
{
	int wanted = call.op == OP_SENDFILE ? 2 : 1;

	for (int i = 0; i < wanted; i++) {
		if (!held_wait(writer_holds, PATIENCE_MS, ret))
			return 0;
		if (i + 1 < wanted)
			held_go(ret);
	}
	return 1;
}

static void play_sending(void)
{
	pthread_t threads[2];
	struct held held;

	MUST(pthread_create(&threads[0], NULL, writer, NULL) == 0);
	MUST(pthread_create(&threads[1], NULL, closer, NULL) == 0);
	must_wait(&writer_set);
	must_wait(&closer_set);
	sem_post(&may_write);
	fact("held", at_retry(&held));
	sem_post(&may_close);
	for (int ms = 0; ms < PATIENCE_MS && accepted < 0; ms++)
		sleep_us(1000);
	if (!call.has_ended)
		held_go(&held);
	release_writer();
	MUST(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
}

static void play_closing(void)
{
	struct held at_send = { .listener = -1 }, at_close;
	pthread_t threads[2];

	MUST(pthread_create(&threads[0], NULL, writer, NULL) == 0);
	MUST(pthread_create(&threads[1], NULL, closer, (void *)1) == 0);
	must_wait(&writer_set);
	must_wait(&closer_set);
	sem_post(&may_close);
	MUST(held_wait(closer_holds, 2000, &at_close));
	sem_post(&may_write);
	if (at_retry(&at_send))
		fact("held", 1);
	held_go(&at_close);
	for (int ms = 0; ms < PATIENCE_MS && accepted < 0; ms++)
		sleep_us(1000);
	if (at_send.listener >= 0 && !call.has_ended)
		held_go(&at_send);
	release_writer();
	MUST(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
}

static void on_signal(int unused)
{
	(void)unused;
	close_and_accept();
}

static void play_handler(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_t thread;
	struct held held = { .listener = -1 };

	MUST(sigaction(SIGUSR1, &action, NULL) == 0);
	MUST(pthread_create(&thread, NULL, writer, NULL) == 0);
	must_wait(&writer_set);
	sem_post(&may_write);
	if (at_retry(&held))
		fact("held", 1);
	/* Held calls are interruptible, and made again (SA_RESTART): a handler that is let in here
	 * is one between the check and the send. */
	MUST(pthread_kill(thread, SIGUSR1) == 0);
	for (int ms = 0; ms < 20 && accepted < 0; ms++)
		sleep_us(1000);
	if (held.listener >= 0)
		held_go(&held);
	release_writer();
	for (int ms = 0; ms < PATIENCE_MS && accepted < 0; ms++)
		sleep_us(1000);
	MUST(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
	size_t got;

	MUST(argc == 3);
	watchdog(10);
	pattern_make();
	while (call.op < OPS && strcmp(argv[2], op_name[call.op]))
		call.op++;
	MUST(call.op < OPS);
	call.n = ASKED;
	sem_init(&writer_set, 0, 0), sem_init(&closer_set, 0, 0);
	sem_init(&may_write, 0, 0), sem_init(&may_close, 0, 0);
	sem_init(&may_end, 0, 0);
	door = door_open(16384);
	first = pair_open(&door, 0);
	second_peer = dial(&door, 0);
	if (!strcmp(argv[1], "sending"))
		play_sending();
	else if (!strcmp(argv[1], "closing"))
		play_closing();
	else
		play_handler();
	MUST(is_closed && accepted >= 0);
	got = take_quiet(second_peer, 0);
	if (got)
		die("another client got %zu bytes that were not for it", got);
	if (call.result <= 0 && call.error != EAGAIN && call.error != EBADF)
		die("the call: %zd, errno %d", call.result, call.error);
	got = take_all(first.peer, 0, NULL);
	if (got != call_sent(&call))
		die("the call returned %zd, the peer got %zu", call.result, got);
	return 0;
}
