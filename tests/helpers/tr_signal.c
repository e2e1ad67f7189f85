/* SPDX-License-Identifier: MIT */
/*
 * tr_signal SCENE: signals while a write waits.
 *
 *	plain restart	 a handler (without and with SA_RESTART) that only notes the time: the call
 *			 ends at once with what was sent
 *	storm		 a timer's handler, a millisecond after its last end, while 1.5 MB go to
 *			 a slow reader
 *	same		 the timer's handler writes marked bytes to the same socket: they may lie
 *			 between two calls of the host, never inside what one call returned
 *	other		 the handler writes to another full socket
 *	threads		 not a handler but another thread writes marked bytes: likewise
 */
#include "tr_call.h"

#include <sys/time.h>

#define ASKED 1000000
#define TOTAL 1500000
#define MARK 0xa5
#define MARKS 48
#define CALLS_MAX 2000000

static struct door door;
static volatile uint64_t handled_ns;
static int mark_fd = -1;
static volatile uint64_t marks_sent, mark_calls;
static volatile int is_over; /* the host has written all */

static void on_signal(int unused)
{
	(void)unused;
	handled_ns = now_ns();
}

static void send_marks(void)
{
	unsigned char marks[MARKS];
	ssize_t r;

	memset(marks, MARK, sizeof(marks));
	r = write(mark_fd, marks, sizeof(marks));
	if (r == 0 || (r < 0 && errno != EAGAIN))
		die("writing marks: %zd", r);
	marks_sent += r > 0 ? (uint64_t)r : 0;
	mark_calls++;
}

/* After the handler's end: one that waits must not be due again at once, or the host never runs. */
static void arm_timer(void)
{
	struct itimerval once = { { 0, 0 }, { 0, 1000 } };

	if (!is_over)
		MUST(setitimer(ITIMER_REAL, &once, NULL) == 0);
}

static void on_timer(int unused)
{
	int saved = errno;

	(void)unused;
	if (mark_fd >= 0 && !is_over)
		send_marks();
	arm_timer();
	errno = saved;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	MUST(sigaction(signal, &action, NULL) == 0);
}

/* ---- one signal ------------------------------------------------------------------------ */

static void play_one(int flags)
{
	handle(SIGUSR1, on_signal, flags);
	for (int round = 0; round < 7; round++) {
		struct pair p = pair_open(&door, 0);
		struct call call = { .warm_on = &door, .fd = p.fd, .op = flags ? (enum op)(round % OPS) : OP_WRITE,
				     .n = ASKED };

		handled_ns = 0;
		call_begin(&call);
		sleep_us(8000);
		fact("waiting", !call.has_ended);
		if (!call.has_ended)
			MUST(pthread_kill(call.thread, SIGUSR1) == 0);
		call_end(&call);
		fact("end_tenths", handled_ns ? tenths_of_ms(handled_ns, call.end_ns) : 0);
		MUST(close(p.fd) == 0);
		if (take_all(p.peer, 0, NULL) != call_sent(&call))
			die("the call returned %zd, the peer got something else", call.result);
		syscall(SYS_close, p.peer);
	}
}

/* ---- many signals, a slow reader ------------------------------------------------------- */

static size_t *boundary; /* bytes of the pattern sent when each of the host's calls had returned */
static size_t boundaries;

/* Reads slowly; cuts the marks out, checks that each run of them lies on a boundary afterwards. */
struct reader {
	int fd;
	unsigned pause_us;
	size_t pattern_bytes, mark_bytes, *run, runs;
};

static void *reader_thread(void *argument)
{
	static unsigned char buffer[20000];
	struct reader *r = argument;
	sigset_t all;
	long n;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	r->run = malloc(CALLS_MAX * sizeof(*r->run));
	while ((n = syscall(SYS_recvfrom, r->fd, buffer, sizeof(buffer), 0, NULL, NULL)) > 0) {
		for (long i = 0; i < n; i++) {
			/* The pattern is not free of the mark's byte; three in a row do not occur by
			 * chance at the very place where the pattern wants another one. */
			if (buffer[i] == tr_pattern[r->pattern_bytes]) {
				r->pattern_bytes++;
			} else if (buffer[i] == MARK) {
				r->mark_bytes++;
				if (r->runs < CALLS_MAX)
					r->run[r->runs++] = r->pattern_bytes;
			} else {
				die("strange byte after %zu", r->pattern_bytes);
			}
		}
		sleep_us(r->pause_us);
	}
	return NULL;
}

static void *spare_writer(void *unused)
{
	while (!is_over) {
		send_marks();
		sleep_us(150);
	}
	return unused;
}

static size_t host_writes(int fd)
{
	size_t at = 0;

	boundary = malloc(CALLS_MAX * sizeof(*boundary));
	boundary[boundaries++] = 0;
	while (at < TOTAL) {
		ssize_t r = op_write(fd, at, TOTAL - at);

		if (r == 0 || (r < 0 && errno != EAGAIN))
			die("the host's write: %zd", r);
		if (r > 0) {
			at += (size_t)r;
			MUST(boundaries < CALLS_MAX);
			boundary[boundaries++] = at;
		}
	}
	return at;
}

static void check_runs(const struct reader *r)
{
	size_t b = 0;

	for (size_t i = 0; i < r->runs; i++) {
		while (b < boundaries && boundary[b] < r->run[i])
			b++;
		/* A marked byte that happens to be the pattern's next is taken for it: the run then
		 * seems to begin a byte or two later. */
		if (b == boundaries || (boundary[b] != r->run[i] &&
					r->run[i] - boundary[b ? b - 1 : 0] > 2))
			die("foreign bytes lie inside one call's, after %zu (calls ended at %zu and %zu)",
			    r->run[i], boundary[b ? b - 1 : 0], b < boundaries ? boundary[b] : 0);
	}
}

static void play_many(const char *scene)
{
	struct pair p, other = pair_open(&door, 0);
	struct reader reader = { .pause_us = 300 };
	int is_thread = !strcmp(scene, "threads");
	pthread_t threads[2];
	size_t sent;

	warm(&door, OP_WRITE, TOTAL, 0);
	p = pair_open(&door, 16384);
	reader.fd = p.peer;
	while (syscall(SYS_sendto, other.fd, tr_pattern, 100000, 0, NULL, 0) > 0)
		continue; /* full, and nobody reads it */
	if (strcmp(scene, "storm"))
		mark_fd = !strcmp(scene, "other") ? other.fd : p.fd;
	handle(SIGALRM, on_timer, SA_RESTART);
	MUST(pthread_create(&threads[0], NULL, reader_thread, &reader) == 0);
	if (is_thread)
		MUST(pthread_create(&threads[1], NULL, spare_writer, NULL) == 0);
	else
		arm_timer();
	sent = host_writes(p.fd);
	is_over = 1;
	if (is_thread)
		MUST(pthread_join(threads[1], NULL) == 0);
	MUST(close(p.fd) == 0);
	MUST(pthread_join(threads[0], NULL) == 0);
	if (reader.pattern_bytes + reader.mark_bytes !=
	    sent + (mark_fd == p.fd ? (size_t)marks_sent : 0))
		die("sent %zu and %llu marked, the peer got %zu and %zu", sent,
		    (unsigned long long)marks_sent, reader.pattern_bytes, reader.mark_bytes);
	check_runs(&reader);
	fact("mark_calls", (int64_t)mark_calls);
	fact("mark_bytes", (int64_t)reader.mark_bytes);
	fact("calls", (int64_t)boundaries);
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	watchdog(20);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	if (!strcmp(argv[1], "plain"))
		play_one(0);
	else if (!strcmp(argv[1], "restart"))
		play_one(SA_RESTART);
	else
		play_many(argv[1]);
	return 0;
}
