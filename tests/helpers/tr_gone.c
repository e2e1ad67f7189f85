/* SPDX-License-Identifier: MIT */
/*
 * tr_gone SCENE: the peer vanishes before, during or after a stalled write, and the host makes the
 * same call three times more. What each returns, and how many SIGPIPEs came with it, is said:
 * it must be as bare.
 *
 *	tcp unix	every call x when x what the host does about SIGPIPE
 *	next		after a reset during the wait: every call of the host that may come next
 *	storm		resets at random instants: one ECONNRESET, then EPIPEs with one signal each
 */
#include "tr_call.h"

#define ASKED 1000000
#define LATER_US 6000

static struct door door;
static volatile sig_atomic_t pipes;

static void on_pipe(int unused)
{
	(void)unused;
	pipes++;
}

/* ---- a peer that vanishes in a while --------------------------------------------------- */

struct vanish {
	int peer;
	unsigned us;
	pthread_t thread;
};

static void *vanish_thread(void *argument)
{
	struct vanish *v = argument;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sleep_us(v->us);
	reset_by(v->peer);
	return NULL;
}

static void vanish_begin(struct vanish *v, int peer, unsigned us)
{
	v->peer = peer, v->us = us;
	MUST(pthread_create(&v->thread, NULL, vanish_thread, v) == 0);
}

static void vanish_end(struct vanish *v)
{
	MUST(pthread_join(v->thread, NULL) == 0);
}

/* ---- SIGPIPE --------------------------------------------------------------------------- */

enum disposition { HANDLED, BLOCKED, PENDING, IGNORED, DISPOSITIONS };

static const char *const disposition_name[] = { "handled", "blocked", "pending", "ignored" };

static void block_pipe(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	MUST(pthread_sigmask(how, &set, NULL) == 0);
}

static int is_pipe_pending(void)
{
	sigset_t set;

	MUST(sigpending(&set) == 0);
	return sigismember(&set, SIGPIPE);
}

static void dispose(enum disposition d)
{
	signal(SIGPIPE, d == IGNORED ? SIG_IGN : on_pipe);
	pipes = 0;
	if (d == BLOCKED || d == PENDING)
		block_pipe(SIG_BLOCK);
	if (d == PENDING)
		raise(SIGPIPE);
}

static void say(const char *what, ssize_t r)
{
	int error = r < 0 ? errno : 0;

	/* How much a stalled call took is its own affair. */
	printf("said   %s %s %d signals %d pending %d\n", what, r > 0 ? "some" : r ? "-1" : "0", error,
	       (int)pipes, is_pipe_pending());
}

static void undo(enum disposition d)
{
	block_pipe(SIG_UNBLOCK);
	printf("said   %s unblocked: signals %d\n", disposition_name[d], (int)pipes);
	signal(SIGPIPE, on_pipe);
}

/*
 * The kernel's own sendfile swallows the error that a later piece meets once an earlier one went
 * out (seen bare in one storm of four): then EPIPE comes where ECONNRESET would. So only this
 * is sure: a signal for each EPIPE.
 */
static void check_sendfile(int fd, enum disposition d)
{
	int broken = 0;

	for (int i = 0; i < 3; i++) {
		ssize_t r = op_sendfile(fd, 0, ASKED);

		MUST(r < 0 && (errno == EPIPE || (errno == ECONNRESET && !i)));
		broken += errno == EPIPE;
	}
	if (d == HANDLED && pipes != broken)
		die("%d times EPIPE, %d signals", broken, (int)pipes);
	block_pipe(SIG_UNBLOCK);
	signal(SIGPIPE, on_pipe);
}

/* ---- every call x when x disposition --------------------------------------------------- */

static const char *const when_name[] = { "before", "during", "after" };

static void play(int is_unix, enum op op, int flags, int when, enum disposition d)
{
	struct pair p = is_unix ? unix_open() : pair_open(&door, 0);
	struct vanish v;

	printf("said %s %s flags %d %s %s\n", is_unix ? "unix" : "tcp", op_name[op], flags, when_name[when],
	       disposition_name[d]);
	dispose(d);
	if (when == 0)
		reset_by(p.peer);
	if (when == 1)
		vanish_begin(&v, p.peer, LATER_US);
	say("first", op_call(op, p.fd, 0, ASKED, flags));
	if (when == 1)
		vanish_end(&v);
	if (when == 2)
		reset_by(p.peer);
	if (op == OP_SENDFILE && when == 1 && !is_unix) {
		check_sendfile(p.fd, d);
	} else {
		for (int i = 0; i < 3; i++)
			say("then", op_call(op, p.fd, 0, ASKED, flags));
		undo(d);
	}
	MUST(close(p.fd) == 0);
}

static void play_all(int is_unix)
{
	for (enum op op = 0; op < OPS; op++) {
		warm(&door, op, ASKED, 0);
		for (int when = 0; when < 3; when++)
			for (enum disposition d = 0; d < DISPOSITIONS; d++)
				play(is_unix, op, 0, when, d);
	}
	for (int when = 0; when < 3; when++) {
		play(is_unix, OP_SEND, MSG_NOSIGNAL, when, HANDLED);
		play(is_unix, OP_SENDMSG, MSG_NOSIGNAL, when, PENDING);
	}
}

/* ---- what the next call may be --------------------------------------------------------- */

enum next { NEXT_SENDMMSG = OPS, NEXT_SPLICE, NEXT_READ, NEXT_RECV, NEXT_SO_ERROR, NEXT_POLL, NEXTS };

static ssize_t next_call(int next, int fd)
{
	struct iovec iov = { tr_pattern, 100 };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	int pipe_ends[2];
	ssize_t r;

	messages[1] = messages[0];
	switch (next) {
	case NEXT_SENDMMSG: return sendmmsg(fd, messages, 2, 0);
	case NEXT_READ: return read(fd, iov.iov_base, 1);
	case NEXT_RECV: return recv(fd, iov.iov_base, 1, 0);
	case NEXT_SO_ERROR: return get_int(fd, SOL_SOCKET, SO_ERROR);
	case NEXT_POLL: return poll(&p, 1, 0) == 1 ? p.revents : -1;
	case NEXT_SPLICE:
		MUST(pipe(pipe_ends) == 0 && write(pipe_ends[1], "0123456789", 10) == 10);
		r = splice(pipe_ends[0], NULL, fd, NULL, 10, SPLICE_F_NONBLOCK);
		close(pipe_ends[0]), close(pipe_ends[1]);
		return r;
	default: return op_call((enum op)next, fd, 0, 1000, 0);
	}
}

static void play_next(enum op op)
{
	signal(SIGPIPE, on_pipe);
	warm(&door, op, ASKED, 0);
	for (int next = 0; next < NEXTS; next++) {
		struct pair p = pair_open(&door, 0);
		struct vanish v;

		printf("said %s next %d\n", op_name[op], next);
		pipes = 0;
		vanish_begin(&v, p.peer, LATER_US);
		say("first", op_call(op, p.fd, 0, ASKED, 0));
		vanish_end(&v);
		for (int i = 0; i < 3; i++) {
			ssize_t r = next_call(next, p.fd);

			printf("said   then %zd %d signals %d\n", r, r < 0 ? errno : 0, (int)pipes);
		}
		say("write", op_write(p.fd, 0, 1000));
		MUST(close(p.fd) == 0);
	}
}

/* ---- resets at random instants --------------------------------------------------------- */

static void storm_round(enum op op, unsigned us)
{
	struct pair p = pair_open(&door, 0);
	struct vanish v;
	ssize_t r;

	pipes = 0;
	vanish_begin(&v, p.peer, us);
	do {
		r = op_call(op, p.fd, 0, ASKED, 0);
	} while (r > 0 || errno == EAGAIN);
	/* As check_sendfile() says. */
	if (op == OP_SENDFILE && errno == EPIPE)
		pipes--;
	else if (errno != ECONNRESET)
		die("%s after %u us: errno %d, where ECONNRESET comes first", op_name[op], us, errno);
	if (pipes)
		die("%s after %u us: %d signals too many", op_name[op], us, (int)pipes);
	for (int i = 1; i < 3; i++) {
		r = op_call(op, p.fd, 0, ASKED, 0);
		if (r != -1 || errno != EPIPE || pipes != i)
			die("%s, call %d after the reset: %zd errno %d, %d signals", op_name[op], i, r,
			    errno, (int)pipes);
	}
	vanish_end(&v);
	MUST(close(p.fd) == 0);
}

static void storm(void)
{
	unsigned seed = (unsigned)now_ns();

	printf("seed %u\n", seed);
	signal(SIGPIPE, on_pipe);
	for (enum op op = 0; op < OPS; op++) {
		warm(&door, op, ASKED, 0);
		for (int i = 0; i < 40; i++)
			storm_round(op, (unsigned)rand_r(&seed) % 600);
	}
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	watchdog(15);
	pattern_make();
	door = door_open(16384);
	if (!strcmp(argv[1], "next"))
		play_next(OP_WRITE), play_next(OP_SENDFILE);
	else if (!strcmp(argv[1], "storm"))
		storm();
	else
		play_all(!strcmp(argv[1], "unix"));
	return 0;
}
