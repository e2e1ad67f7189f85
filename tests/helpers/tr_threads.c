/* SPDX-License-Identifier: MIT */
/*
 * tr_threads SCENE: waits beside forks, many threads, and the limits of waiting.
 *
 *	fork		the child of a process with a waiting thread closes and uses the same sockets
 *	fork_held	the same, the thread standing in the middle of a retry's send
 *	vfork		a vfork child closes the descriptor (in its parent's memory, not its table)
 *	many		200 threads wait at once, and end
 *	limit drip	one call against a reader that takes nothing, or a little all the time
 *	turn		calls on several full sockets in one turn of an event loop
 *
 * Facts: took_tenths for each call (limit, drip), each turn (turn), all of it (many); close_tenths.
 */
#include "tr_call.h"
#include "tr_hold.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/times.h>

#define ASKED 1000000
#define THREADS 200

static struct door door;

static void expect_child(pid_t child)
{
	int status;

	MUST(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		die("the child: status %x", status);
}

/* ---- fork ------------------------------------------------------------------------------ */

/* The child has the same descriptors and none of the threads. */
static void child_uses(int fd)
{
	struct pair p = { -1, -1 };
	uint64_t begin;
	ssize_t r;

	/* Any call may come first; what is pending in the parent is none of its business. The
	 * parent's watchdog is not here. */
	alarm(2);
	r = op_write(fd, 0, 0);
	MUST(r == 0);
	begin = now_ns();
	MUST(close(fd) == 0);
	fact("close_tenths", tenths_of_ms(begin, now_ns()));
	p = pair_open(&door, 0);
	MUST(p.fd == fd || p.peer == fd);
	r = op_write(p.fd, 0, ASKED);
	MUST(r > 0);
	MUST(close(p.fd) == 0 && take_all(p.peer, 0, NULL) == (size_t)r);
	fflush(stdout);
	_exit(0);
}

static void play_fork(void)
{
	struct pair p = pair_open(&door, 0);
	struct call call = { .warm_on = &door, .op = OP_WRITE, .fd = p.fd, .n = ASKED };
	size_t got = 0;

	call_begin(&call);
	sleep_us(3000);
	fflush(stdout);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (!child)
			child_uses(p.fd);
		expect_child(child);
	}
	take(p.peer, &got, NULL);
	call_end(&call);
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, got, NULL) == call_sent(&call));
}

static int holds;
static sem_t is_set, may_write;

static void *held_writer(void *argument)
{
	struct call *call = argument;

	holds = hold_at(SYS_sendmsg, SYS_sendmsg);
	sem_post(&is_set);
	while (sem_wait(&may_write))
		;
	call->result = op_write(call->fd, 0, ASKED);
	call->error = errno;
	call->has_ended = 1;
	return NULL;
}

static void play_fork_held(void)
{
	struct pair p = pair_open(&door, 0);
	struct call call = { .op = OP_WRITE, .fd = p.fd, .n = ASKED };
	struct held held;
	int is_held;
	pid_t child;

	MUST(sem_init(&is_set, 0, 0) == 0 && sem_init(&may_write, 0, 0) == 0);
	MUST(pthread_create(&call.thread, NULL, held_writer, &call) == 0);
	while (sem_wait(&is_set))
		;
	sem_post(&may_write);
	is_held = held_wait(holds, 100, &held);
	fact("held", is_held);
	fflush(stdout);
	child = fork();
	if (!child)
		child_uses(p.fd);
	expect_child(child);
	if (is_held)
		held_go(&held);
	while (!call.has_ended)
		if (held_wait(holds, 10, &held))
			held_go(&held);
	call_end(&call);
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, 0, NULL) == call_sent(&call));
}

static void play_vfork(void)
{
	struct pair p = pair_open(&door, 0);
	struct call call = { .warm_on = &door, .op = OP_WRITE, .fd = p.fd, .n = 400000 };
	size_t got = 0;
	pid_t child;

	call_begin(&call);
	sleep_us(5000);
	fact("waiting", !call.has_ended);
	child = vfork();
	if (!child) {
		close(p.fd);
		close_range(3, ~0u, 0);
		_exit(0);
	}
	expect_child(child);
	while (!call.has_ended)
		take(p.peer, &got, NULL);
	call_end(&call);
	fact("finished", call.result == 400000);
	/* The parent's socket is as open as before. */
	while (op_write(p.fd, call_sent(&call), 10) != 10)
		take(p.peer, &got, NULL);
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, got, NULL) == call_sent(&call) + 10);
}

/* ---- many ------------------------------------------------------------------------------ */

static void play_many(void)
{
	static struct pair pairs[THREADS];
	static struct call calls[THREADS];
	static size_t got[THREADS];
	struct rusage before, after;
	uint64_t begin;
	int waiting = 0;

	for (int i = 0; i < THREADS; i++) {
		pairs[i] = pair_open(&door, 0);
		calls[i] = (struct call){ .warm_on = &door, .op = (enum op)(i % OPS), .fd = pairs[i].fd,
					  .n = 200000 };
		call_begin(&calls[i]);
	}
	getrusage(RUSAGE_SELF, &before);
	sleep_us(40000);
	getrusage(RUSAGE_SELF, &after);
	for (int i = 0; i < THREADS; i++)
		waiting += !calls[i].has_ended;
	fact("waiting", waiting);
	fact("cpu_permille", ((after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
			      (after.ru_stime.tv_usec - before.ru_stime.tv_usec) +
			      1000000 * (after.ru_utime.tv_sec + after.ru_stime.tv_sec -
					 before.ru_utime.tv_sec - before.ru_stime.tv_sec)) / 40);
	begin = now_ns();
	for (int left = THREADS; left;) {
		left = 0;
		for (int i = 0; i < THREADS; i++) {
			take(pairs[i].peer, &got[i], NULL);
			left += !calls[i].has_ended;
		}
	}
	fact("took_tenths", tenths_of_ms(begin, now_ns()));
	for (int i = 0; i < THREADS; i++) {
		call_end(&calls[i]);
		MUST(close(pairs[i].fd) == 0);
		MUST(take_all(pairs[i].peer, got[i], NULL) == call_sent(&calls[i]));
		syscall(SYS_close, pairs[i].peer);
	}
}

/* ---- limits ---------------------------------------------------------------------------- */

struct dripper {
	int fd;
	volatile int is_over;
};

static void *drip_thread(void *argument)
{
	struct dripper *d = argument;
	static char bytes[14000];

	/* Enough for room within every slice of a wait, too little for all to go within the limit. */
	while (!d->is_over) {
		syscall(SYS_recvfrom, d->fd, bytes, sizeof(bytes), MSG_DONTWAIT, NULL, NULL);
		sleep_us(250);
	}
	return NULL;
}

static void play_limit(int is_dripping)
{
	warm(&door, OP_WRITE, PATTERN_BYTES, 0);
	for (int i = 0; i < 5; i++) {
		struct pair p = pair_open(&door, 16384);
		struct dripper dripper = { .fd = p.peer };
		pthread_t thread;
		uint64_t begin;
		ssize_t r;

		if (is_dripping)
			MUST(pthread_create(&thread, NULL, drip_thread, &dripper) == 0);
		begin = now_ns();
		r = op_write(p.fd, 0, PATTERN_BYTES);
		fact("took_tenths", tenths_of_ms(begin, now_ns()));
		MUST(r > 0 && r < (ssize_t)PATTERN_BYTES);
		dripper.is_over = 1;
		if (is_dripping)
			MUST(pthread_join(thread, NULL) == 0);
		MUST(close(p.fd) == 0);
		syscall(SYS_close, p.peer);
	}
}

static void play_turn(void)
{
	struct epoll_event event = { .events = EPOLLOUT }, got;
	struct pair pairs[5];
	int epfd = epoll_create1(0);

	warm(&door, OP_WRITE, ASKED, 0);
	for (int i = 0; i < 5; i++) {
		pairs[i] = pair_open(&door, 0);
		MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pairs[i].fd, &event) == 0);
	}
	for (int turn = 0; turn < 5; turn++) {
		uint64_t begin;

		epoll_wait(epfd, &got, 1, 0);
		begin = now_ns();
		for (int i = 0; i < 5; i++) {
			ssize_t r = op_write(pairs[i].fd, 0, ASKED);

			MUST(r > 0 || errno == EAGAIN);
		}
		fact("took_tenths", tenths_of_ms(begin, now_ns()));
	}
}

int main(int argc, char **argv)
{
	const char *scene = argv[1];

	MUST(argc == 2);
	watchdog(5);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	if (!strcmp(scene, "fork"))
		play_fork();
	else if (!strcmp(scene, "fork_held"))
		play_fork_held();
	else if (!strcmp(scene, "vfork"))
		play_vfork();
	else if (!strcmp(scene, "many"))
		play_many();
	else if (!strcmp(scene, "turn"))
		play_turn();
	else
		play_limit(!strcmp(scene, "drip"));
	return 0;
}
