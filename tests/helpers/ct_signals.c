/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers use sockets while the interrupted code is inside the same wrappers, or never
 * return to it.   ct_signals SCENARIO
 */
#include "ct.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

static int a[2], b[2];
static volatile uint64_t handler_writes, handler_stalls, handler_waits, signals;
static sigjmp_buf back;

static void every(int us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };

	MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void on_signal(void (*handler)(int), int signal)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	MUST(sigaction(signal, &action, NULL) == 0);
}

static void *empties(void *fd)
{
	static char text[65536];

	while (syscall(SYS_read, *(int *)fd, text, sizeof(text)) > 0)
		;
	return NULL;
}

/* ---- handlers that return --------------------------------------------------------------- */

static void writes_too(int unused)
{
	struct pollfd p = { a[0], POLLOUT, 0 };
	int saved = errno;
	ssize_t n;

	(void)unused;
	signals++;
	n = write(a[0], "h", 1);
	handler_writes++;
	handler_stalls += n < 0 && errno == EAGAIN;
	n = send(b[0], "h", 1, MSG_NOSIGNAL);
	handler_writes++;
	handler_stalls += n < 0 && errno == EAGAIN;
	poll(&p, 1, 0);
	handler_waits++;
	errno = saved;
}

static pthread_t start_reader(int *fd)
{
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
	MUST(pthread_create(&thread, NULL, empties, fd) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return thread;
}

/* Main writes as fast as it can, the handler to the same socket and to another. */
static void same_socket(int is_blocking)
{
	uint64_t writes = 0, stalls = 0, shorts = 0, waits = 0, end;
	static char block[3000];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	if (!is_blocking) {
		set_int(a[0], SOL_SOCKET, SO_SNDBUF, 16384);
		set_nonblocking(a[0]);
	}
	MUST(write(a[0], "x", 1) == 1 && write(b[0], "x", 1) == 1);
	writes = 2;
	start_reader(&a[1]);
	start_reader(&b[1]);
	on_signal(writes_too, SIGALRM);
	every(60);
	for (end = now_ns() + 700000000; now_ns() < end;) {
		ssize_t n = write(a[0], block, is_blocking ? 1 : sizeof(block));

		writes++;
		stalls += n < 0;
		shorts += n >= 0 && n < (ssize_t)(is_blocking ? 1 : sizeof(block));
		MUST(n >= 0 || errno == EAGAIN);
		if (n < 0) {
			struct pollfd out = { a[0], POLLOUT, 0 };

			poll(&out, 1, 1);
			waits++;
		}
	}
	every(0);
	expect("writes", writes + handler_writes);
	expect("waits", waits + handler_waits);
	fact("stalls", stalls + shorts + handler_stalls);
	fact("signals", signals);
}

static void blocking(void) { same_socket(1); }
static void stalling(void) { same_socket(0); }

/* The handler comes while sockets are opened, used for the first time and closed. */
static void while_opening(void)
{
	uint64_t writes = 0, end;
	int local[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	MUST(write(a[0], "x", 1) == 1 && write(b[0], "x", 1) == 1);
	start_reader(&a[1]);
	start_reader(&b[1]);
	on_signal(writes_too, SIGALRM);
	every(60);
	for (end = now_ns() + 500000000; now_ns() < end; writes += 4) {
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, local) == 0);
		for (int i = 0; i < 4; i++)
			MUST(write(local[0], "1", 1) == 1);
		MUST(close(local[0]) == 0 && close(local[1]) == 0);
	}
	every(0);
	expect("writes", 2 + writes + handler_writes);
	expect("waits", handler_waits);
	fact("stalls", 0);
	fact("signals", signals);
}

/* ---- handlers that do not return -------------------------------------------------------- */

static void jumps(int unused)
{
	(void)unused;
	signals++;
	siglongjmp(back, 1);
}

/* The usual reason: a timeout on a blocking call. */
static void out_of_waits(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd in;
	char text[8];
	int epfd = epoll_create1(0);
	volatile int round = 0;

	unix_pair(a);
	set_int(a[0], SOL_SOCKET, SO_SNDBUF, 4096);
	MUST(fcntl(a[0], F_SETFL, 0) == 0);
	in = (struct pollfd){ a[1], POLLIN, 0 };
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, a[1], &event) == 0);
	on_signal(jumps, SIGALRM);
	if (sigsetjmp(back, 1))
		round++;
	else
		every(1500); /* not before there is somewhere to jump to */
	while (round < 200) {
		switch (round % 4) {
		case 0: read(a[1], text, 8); break;
		case 1: poll(&in, 1, -1); break;
		case 2: epoll_wait(epfd, &event, 1, -1); break;
		case 3: recv(a[1], text, 8, 0); break;
		}
	}
	every(0);
	for (int i = 0; i < 10; i++)
		MUST(write(a[0], "x", 1) == 1);
	set_nonblocking(a[1]);
	MUST(read(a[1], text, 8) == 8);
	MUST(poll(&in, 1, 0) == 1);
	expect("writes", 10);
	expect("wait_events", 1);
	expect("responses", 0);
}

/*
 * At any instant, inside the library's own work too. Calls the jump cut off may be counted or
 * not; afterwards everything must still be counted, on old numbers and on new ones.
 */
static void out_of_anything(void)
{
	static char block[4096];
	static volatile uint64_t returned, begun;
	static int local[2];
	static volatile int is_open;
	uint64_t end = now_ns() + 700000000;

	unix_pair(a);
	MUST(write(a[0], block, 1) == 1);
	begun = returned = 1;
	on_signal(jumps, SIGALRM);
	if (!sigsetjmp(back, 1))
		every(50);
	if (is_open) {
		is_open = 0;
		syscall(SYS_close, local[0]);
		syscall(SYS_close, local[1]);
	}
	while (now_ns() < end) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, local))
			break;
		is_open = 1;
		for (int i = 0; i < 3; i++) {
			begun++;
			write(local[0], block, 1);
			returned++;
		}
		begun++;
		write(a[0], block, 100);
		returned++;
		syscall(SYS_recvfrom, a[1], block, 100, MSG_DONTWAIT, NULL, NULL);
		is_open = 0;
		close(local[0]);
		close(local[1]);
	}
	every(0);
	fact("returned", returned);
	fact("begun", begun);
	fact("signals", signals);
	/* Now on the number that was jumped out of most: exactly 5 refusals. */
	drain_now(a[1]);
	for (int fd = 3; fd < 40; fd++)
		if (fd != a[0] && fd != a[1])
			syscall(SYS_close, fd);
	for (int i = 0; i < 5; i++) {
		uint64_t writes = 0;

		unix_pair(b);
		do
			writes++;
		while (write(b[0], block, sizeof(block)) > 0);
		MUST(errno == EAGAIN);
		fact("later", writes);
		fact("fd", (uint64_t)b[0]);
		close(b[0]);
		close(b[1]);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO(blocking), SCENARIO(stalling), SCENARIO(while_opening),
	SCENARIO(out_of_waits), SCENARIO(out_of_anything), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
