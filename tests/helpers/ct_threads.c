/* SPDX-License-Identifier: MIT */
/* Threads of every kind write known numbers of times.   ct_threads SCENARIO */
#include "ct.h"

#include <limits.h>
#include <sched.h>

static char block[4096], text[4096];
static int sink[2]; /* a local pair nobody else uses; its peer is emptied behind the shim's back */

static void put(int fd, int times)
{
	for (int i = 0; i < times; i++) {
		MUST(write(fd, "0123456789", 10) == 10);
		MUST(syscall(SYS_recvfrom, fd == sink[0] ? sink[1] : fd, text, sizeof(text),
			     MSG_DONTWAIT, NULL, NULL) != 0);
	}
}

static void make_sink(void)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sink) == 0);
	put(sink[0], 1);
}

/* ---- small stacks ----------------------------------------------------------------------- */

/* Connect, accept, stall, growth, close: the slow paths, and the making of the file. */
static void *whole_life(void *unused)
{
	static struct sockaddr_in address;
	struct pollfd out;
	int listener = tcp_listener(&address), pair[2];

	(void)unused;
	tcp_pair_on(listener, &address, 8192, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 8192);
	while (write(pair[0], block, sizeof(block)) > 0)
		;
	MUST(errno == EAGAIN);
	MUST(write(pair[0], block, sizeof(block)) != 0);
	drain_now(pair[1]);
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	MUST(poll(&out, 1, 1000) == 1);
	MUST(close(pair[0]) == 0 && close(pair[1]) == 0 && close(listener) == 0);
	return "done";
}

static void min_stack(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *said;

	pthread_attr_init(&attr);
	MUST(pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
	for (int i = 0; i < 5; i++) {
		MUST(pthread_create(&thread, &attr, whole_life, NULL) == 0);
		MUST(pthread_join(thread, &said) == 0 && !strcmp(said, "done"));
	}
	expect("threads_started", 5);
	expect("threads_ended", 5);
	fact("any_stalls", 1);
}

/* ---- many ------------------------------------------------------------------------------- */

static void *two_writes(void *unused)
{
	(void)unused;
	put(sink[0], 2);
	return NULL;
}

static void sequence(void)
{
	pthread_t thread;

	make_sink();
	for (int i = 0; i < 20000; i++) {
		MUST(pthread_create(&thread, NULL, two_writes, NULL) == 0);
		MUST(pthread_join(thread, NULL) == 0);
	}
	expect("writes", 40001);
	expect("threads_started", 20000);
	expect("threads_ended", 20000);
	fact("thread_rows", 1);
}

static pthread_barrier_t barrier;

static void *writes_together(void *unused)
{
	int pair[2];

	(void)unused;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	for (int i = 0; i < 50; i++)
		MUST(write(pair[0], "x", 1) == 1);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 50; i++)
		MUST(write(pair[0], "x", 1) == 1);
	pthread_barrier_wait(&barrier);
	MUST(close(pair[0]) == 0 && close(pair[1]) == 0);
	return NULL;
}

/* All alive at once: with fewer rows than threads most have none. */
static void together(void)
{
	enum { THREADS = 150 };
	pthread_t threads[THREADS];

	make_sink();
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_create(&threads[i], NULL, writes_together, NULL) == 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	put(sink[0], 1);
	expect("writes", 2 + THREADS * 100);
	expect("write_bytes", 20 + THREADS * 100);
	expect("threads_started", THREADS);
	expect("threads_ended", THREADS);
}

/* Created faster than they begin: the creator keeps the only CPU they may use. */
static void burst(void)
{
	enum { THREADS = 300 };
	struct sched_param high = { .sched_priority = 2 }, normal = { .sched_priority = 0 };
	pthread_t threads[THREADS];
	pthread_attr_t attr;
	cpu_set_t one;

	make_sink();
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setstacksize(&attr, 65536);
	sched_setscheduler(0, SCHED_FIFO, &high); /* may be refused: then it is only likely */
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_create(&threads[i], &attr, two_writes, NULL) == 0);
	sched_setscheduler(0, SCHED_OTHER, &normal);
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	expect("writes", 1 + THREADS * 2);
	expect("threads_started", THREADS);
	expect("threads_ended", THREADS);
}

/* ---- ends ------------------------------------------------------------------------------- */

static void *leaves_by_exit(void *unused)
{
	(void)unused;
	put(sink[0], 3);
	pthread_exit("left");
}

static int idle_pair[2];

static void *waits_for_ever(void *how)
{
	struct pollfd in = { idle_pair[1], POLLIN, 0 };

	put(sink[0], 3);
	switch ((intptr_t)how) {
	case 0: read(idle_pair[1], text, 1); break;
	case 1: poll(&in, 1, -1); break;
	case 2: recv(idle_pair[1], text, 1, 0); break;
	case 3:
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
		for (volatile int i = 0;; i++)
			;
	}
	die("came back");
}

static void ends(void)
{
	pthread_t thread;
	void *said;

	make_sink();
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, idle_pair) == 0);
	for (int i = 0; i < 5; i++) {
		MUST(pthread_create(&thread, NULL, leaves_by_exit, NULL) == 0);
		MUST(pthread_join(thread, &said) == 0 && !strcmp(said, "left"));
	}
	for (intptr_t how = 0; how < 4; how++) {
		MUST(pthread_create(&thread, NULL, waits_for_ever, (void *)how) == 0);
		sleep_us(20000);
		MUST(pthread_cancel(thread) == 0);
		MUST(pthread_join(thread, &said) == 0 && said == PTHREAD_CANCELED);
	}
	put(sink[0], 1);
	expect("writes", 2 + 9 * 3);
	expect("threads_started", 9);
	expect("threads_ended", 9);
	fact("thread_rows", 1);
}

static pthread_key_t key;

static void last_words(void *value)
{
	(void)value;
	put(sink[0], 4); /* after our end-of-thread handler has run */
}

static void *has_last_words(void *unused)
{
	put(sink[0], 1);
	pthread_setspecific(key, block);
	return unused;
}

static void destructors(void)
{
	pthread_t thread;

	make_sink();
	MUST(pthread_key_create(&key, last_words) == 0);
	for (int i = 0; i < 10; i++) {
		MUST(pthread_create(&thread, NULL, has_last_words, NULL) == 0);
		MUST(pthread_join(thread, NULL) == 0);
	}
	expect("writes", 1 + 10 * 5);
	expect("threads_started", 10);
	expect("threads_ended", 10);
}

static void *nothing(void *unused)
{
	return unused;
}

/* Begun and ended before the process had a socket: counted all the same. */
static void before_sockets(void)
{
	pthread_t thread;

	for (int i = 0; i < 7; i++) {
		MUST(pthread_create(&thread, NULL, nothing, NULL) == 0);
		MUST(pthread_join(thread, NULL) == 0);
	}
	make_sink();
	expect("writes", 1);
	expect("threads_started", 7);
	expect("threads_ended", 7);
}

static void detached(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	make_sink();
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < 50; i++)
		MUST(pthread_create(&thread, &attr, two_writes, NULL) == 0);
	sleep_us(300000);
	expect("writes", 101);
	expect("threads_started", 50);
	expect("threads_ended", 50);
}

/* ---- a thread without a row still knows a resume from a spin ---------------------------- */

static void *holds_row(void *unused)
{
	(void)unused;
	put(sink[0], 1);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void *rowless(void *unused)
{
	int pair[2];

	(void)unused;
	unix_pair(pair);
	for (int i = 0; i < 3; i++) {
		while (write(pair[0], block, sizeof(block)) > 0)
			;
		MUST(poll(NULL, 0, 1) == 0);
		drain_now(pair[1]);
		MUST(write(pair[0], block, 10) == 10);
		drain_now(pair[1]);
	}
	return NULL;
}

/* The kernel's own exit: nobody tells the library. */
static void *drops_dead(void *unused)
{
	(void)unused;
	put(sink[0], 1);
	pthread_barrier_wait(&barrier);
	syscall(SYS_exit, 0);
	return NULL;
}

static void *takes_its_row(void *unused)
{
	(void)unused;
	put(sink[0], 1);
	return NULL;
}

/* The rows of the dead, all of them, are found when they are needed. */
static void dead(void)
{
	enum { ROWS = 40 }; /* with the main thread's one too many */
	pthread_t threads[ROWS], thread;

	make_sink();
	pthread_barrier_init(&barrier, NULL, ROWS + 1);
	for (int i = 0; i < ROWS; i++)
		MUST(pthread_create(&threads[i], NULL, drops_dead, NULL) == 0);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROWS; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < ROWS; i++)
		MUST(pthread_create(&thread, NULL, takes_its_row, NULL) == 0 &&
		     pthread_join(thread, NULL) == 0);
	expect("writes", 1 + 2 * ROWS);
	expect("threads_started", 2 * ROWS);
	expect("threads_ended", ROWS);
}

static void no_row(void)
{
	pthread_t threads[40], thread;

	make_sink();
	pthread_barrier_init(&barrier, NULL, 41);
	for (int i = 0; i < 40; i++)
		MUST(pthread_create(&threads[i], NULL, holds_row, NULL) == 0);
	pthread_barrier_wait(&barrier);
	MUST(pthread_create(&thread, NULL, rowless, NULL) == 0);
	MUST(pthread_join(thread, NULL) == 0);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 40; i++)
		pthread_join(threads[i], NULL);
	expect("eagain_writes", 3);
	expect("resumes", 3);
}

/* ---- one thread closes what others are writing to (Java's sockets, host bugs) ------------ */

static int raced, race_over;

static void *writes_blindly(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&race_over, __ATOMIC_RELAXED)) {
		send(raced, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		recv(raced, &unused, 1, MSG_DONTWAIT);
	}
	return NULL;
}

static void close_race(void)
{
	pthread_t threads[3];
	uint64_t end = now_ns() + 700000000;
	int pair[2];

	make_sink();
	MUST((raced = dup(0)) >= 0);
	for (int i = 0; i < 3; i++)
		MUST(pthread_create(&threads[i], NULL, writes_blindly, NULL) == 0);
	while (now_ns() < end) {
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		MUST(dup2(pair[0], raced) == raced);
		MUST(close(pair[0]) == 0 && close(pair[1]) == 0);
	}
	__atomic_store_n(&race_over, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	put(sink[0], 1);
}

static const struct scenario scenarios[] = {
	SCENARIO(min_stack), SCENARIO(sequence), SCENARIO(together),
	SCENARIO(burst), SCENARIO(ends), SCENARIO(destructors), SCENARIO(before_sockets),
	SCENARIO(detached), SCENARIO(no_row), SCENARIO(dead), SCENARIO(close_race), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
