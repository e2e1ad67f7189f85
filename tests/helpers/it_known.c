/* SPDX-License-Identifier: MIT */
/*
 * A host whose socket calls are known to the last one: `it_known CASE` provokes what the table at
 * the end says and exits. tests/integration/known/test_known.py reads its statistics and knows
 * what they must show. Whatever must not be counted (filling buffers, the other side's reads)
 * is done by raw system calls, which no preload sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition) ((condition) ? (void)0 : give_up(__LINE__, #condition))

enum { NOT_PROVOKED = 3 }; /* exit code: the machine did not play along, try again */

static void give_up(int line, const char *what)
{
	fprintf(stderr, "it_known.c:%d: %s, errno %d\n", line, what, errno);
	exit(2);
}

static int host, peer; /* two ends of one connection */
static int listener;
static char block[1 << 20];

static long raw_write(int fd, size_t bytes)
{
	return syscall(SYS_write, fd, block, bytes);
}

static long raw_read(int fd)
{
	return syscall(SYS_read, fd, block, sizeof(block));
}

static void raw_sleep_us(long us)
{
	struct timespec t = { 0, us * 1000 };

	syscall(SYS_nanosleep, &t, NULL);
}

static int raw_is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec now = { 0, 0 };

	return syscall(SYS_ppoll, &p, 1, &now, NULL, 8) == 1;
}

static void set_nonblocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static void set_buffer(int fd, int option, int bytes)
{
	MUST(syscall(SYS_setsockopt, fd, SOL_SOCKET, option, &bytes, sizeof(bytes)) == 0);
}

/* host is the accepted, non-blocking end. Small buffers: they fill fast, and stay full. */
static void connect_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	set_buffer(listener, SO_SNDBUF, 16384);
	MUST(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	MUST(listen(listener, 16) == 0);
	MUST(getsockname(listener, (struct sockaddr *)&address, &bytes) == 0);
	peer = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	set_buffer(peer, SO_RCVBUF, 4096);
	MUST(syscall(SYS_connect, peer, &address, bytes) == 0);
	host = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	MUST(host >= 0);
	set_nonblocking(peer);
}

static void connect_unix(void)
{
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	host = pair[0];
	peer = pair[1];
	set_nonblocking(host);
	set_nonblocking(peer);
}

/* Until even one byte has been refused for a while: TCP moves what it can meanwhile. */
static void fill(void)
{
	for (int refused = 0; refused < 5; refused++) {
		while (raw_write(host, sizeof(block)) > 0 || raw_write(host, 1) > 0)
			refused = 0;
		MUST(errno == EAGAIN);
		raw_sleep_us(500);
	}
}

static void drain(void)
{
	for (int quiet = 0; quiet < 3 || !raw_is_writable(host); quiet++) {
		while (raw_read(peer) > 0)
			quiet = 0;
		raw_sleep_us(200);
	}
}

/* Seen once in 500 fills: TCP finds room for a byte after all. Then the run says nothing. */
static void refused_writes(int count)
{
	for (int i = 0; i < count; i++)
		if (write(host, "x", 1) != -1)
			exit(NOT_PROVOKED);
}

static void full_writes(int count, size_t bytes)
{
	for (int i = 0; i < count; i++)
		MUST(write(host, block, bytes) == (ssize_t)bytes);
}

static void wait_writable(void)
{
	struct pollfd p = { .fd = host, .events = POLLOUT };

	MUST(poll(&p, 1, 10000) == 1);
}

/* Stalls and spins. */

static void stall_and_wait_23_times(void)
{
	for (int i = 0; i < 23; i++) {
		fill();
		refused_writes(1);
		drain();
		wait_writable();
		full_writes(1, 1);
	}
}

static void spin_23_times(void)
{
	fill();
	refused_writes(23);
}

static void spin_4_times_in_5_episodes(void)
{
	for (int i = 0; i < 5; i++) {
		fill();
		refused_writes(4);
		drain();
		full_writes(1, 1);
	}
}

static void spin_15_times(void)
{
	fill();
	refused_writes(15);
}

static void spin_16_times(void)
{
	fill();
	refused_writes(16);
}

/* A thread that sleeps between its tries does not spin. */
static void sleep_between_9_tries(void)
{
	fill();
	for (int i = 0; i < 9; i++) {
		refused_writes(1);
		raw_sleep_us(2000);
	}
}

/* 7 short writes, each followed by a wait: what nginx, libuv and asyncio do. */
static void short_write_and_wait_7_times(void)
{
	ssize_t sent, all = 0;

	for (int i = 0; i < 7; i++) {
		sent = write(host, block, sizeof(block));
		MUST(sent > 0 && sent < (ssize_t)sizeof(block));
		all += sent;
		drain();
		wait_writable();
	}
	printf("{\"write_bytes\": %zd}\n", all);
}

static void set_blocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0);
}

/* A blocking socket whose time runs out returns EAGAIN too; nobody spins there. */
static void time_out_3_times(void)
{
	struct timeval t = { 0, 20000 };
	int timeouts = 0;

	MUST(setsockopt(host, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) == 0);
	for (int i = 0; i < 3; i++) {
		set_nonblocking(host);
		fill();
		set_blocking(host);
		/* Within 20 ms TCP may find room for a byte after all. */
		timeouts += write(host, "x", 1) == -1 && errno == EAGAIN;
	}
	MUST(timeouts);
}

/* But MSG_DONTWAIT on a blocking socket does not block. */
static void do_not_wait_2_times(void)
{
	fill();
	set_blocking(host);
	for (int i = 0; i < 2; i++)
		MUST(send(host, "x", 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

/* Every way to send, three times 100 bytes each. */

static void send_by_message(int how)
{
	struct iovec iov[2] = { { block, 40 }, { block, 60 } };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = iov + 1, .msg_iovlen = 1 } } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

	if (how == 0)
		MUST(writev(host, iov, 2) == 100);
	else if (how == 1)
		MUST(sendmsg(host, &message, 0) == 100);
	else
		MUST(sendmmsg(host, messages, 2, 0) == 2);
}

static void send_from_file(int file, const int pipe_ends[2])
{
	off_t offset = 0;
	off64_t offset64 = 0;

	MUST(sendfile(host, file, &offset, 100) == 100);
	MUST(sendfile64(host, file, &offset64, 100) == 100);
	MUST(raw_write(pipe_ends[1], 100) == 100);
	MUST(splice(pipe_ends[0], NULL, host, NULL, 100, 0) == 100);
}

static void write_by_all_functions(void)
{
	int file = memfd_create("it_known", 0), pipe_ends[2];

	MUST(raw_write(file, 100) == 100 && pipe(pipe_ends) == 0);
	for (int i = 0; i < 3; i++) {
		full_writes(1, 100);
		MUST(send(host, block, 100, 0) == 100);
		MUST(sendto(host, block, 100, 0, NULL, 0) == 100);
		for (int how = 0; how < 3; how++)
			send_by_message(how);
		send_from_file(file, pipe_ends);
		drain();
	}
	/* Not to a stream socket: not counted. */
	MUST(write(file, "x", 1) == 1 && write(pipe_ends[1], "x", 1) == 1);
}

/* Asking sendfile for more than the file has, or splice for what the pipe has not, is no stall. */
static void send_beyond_the_end(void)
{
	int file = memfd_create("it_known", 0), pipe_ends[2];
	off_t offset;

	MUST(raw_write(file, 100) == 100 && pipe2(pipe_ends, O_NONBLOCK) == 0);
	for (int i = 0; i < 3; i++) {
		offset = 0;
		MUST(sendfile(host, file, &offset, 1000) == 100);
	}
	MUST(lseek(file, 0, SEEK_SET) == 0);
	MUST(sendfile64(host, file, NULL, 1000) == 100);
	MUST(sendfile64(host, file, NULL, 1000) == 0);
	for (int i = 0; i < 2; i++)
		MUST(splice(pipe_ends[0], NULL, host, NULL, 100, SPLICE_F_NONBLOCK) == -1 &&
		     errno == EAGAIN);
}

static void stall_in_the_middle_of_a_file(void)
{
	int file = memfd_create("it_known", 0);
	off_t offset = 0;
	ssize_t sent;

	for (int i = 0; i < 8; i++)
		MUST(raw_write(file, sizeof(block)) == sizeof(block));
	sent = sendfile(host, file, &offset, 8 * sizeof(block));
	MUST(sent > 0 && sent < (ssize_t)(8 * sizeof(block)) && offset == sent);
	fill();
	MUST(sendfile(host, file, &offset, 1) == -1 && errno == EAGAIN);
	printf("{\"write_bytes\": %zd}\n", sent);
}

/* 3 responses of 300 bytes, then 8 of 600, each in three writes. */
static void answer_11_requests(void)
{
	for (int i = 0; i < 11; i++) {
		MUST(raw_write(peer, 10) == 10);
		raw_sleep_us(500);
		MUST(read(host, block, 100) == 10);
		full_writes(3, i < 3 ? 100 : 200);
		drain();
	}
	close(host);
}

/* Waits. */

static int epoll_on(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int set = epoll_create1(0);

	MUST(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	return set;
}

static int wait_once(int set, int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, timeout_ms);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/*
 * 24 empty waits with timeout 0 in a row: 23 idle polls. Not when two of them were further
 * apart than the probe's limit allows: then the machine has paused the program.
 */
static void poll_idly_23_times(void)
{
	int set = epoll_on(host, EPOLLIN);
	long long begun[25];

	for (int i = 0; i < 24; i++) {
		begun[i] = now_ns();
		MUST(wait_once(set, 0) == 0);
	}
	begun[24] = now_ns();
	for (int i = 0; i < 24; i++)
		if (begun[i + 1] - begun[i] > 9000)
			exit(NOT_PROVOKED);
}

static void tick_5_times(void)
{
	int set = epoll_on(host, EPOLLIN);

	for (int i = 0; i < 5; i++)
		MUST(wait_once(set, 10) == 0);
}

/* libuv polls with timeout 0 once more after an array full of events. */
static void poll_once_after_events(void)
{
	int set = epoll_on(host, EPOLLIN);

	for (int i = 0; i < 6; i++) {
		MUST(raw_write(peer, 10) == 10);
		MUST(wait_once(set, 10000) == 1);
		MUST(read(host, block, 100) == 10);
		MUST(wait_once(set, 0) == 0);
	}
}

static void leave_9_out_events_unused(void)
{
	int set = epoll_on(host, EPOLLOUT);

	for (int i = 0; i < 10; i++)
		MUST(wait_once(set, 10000) == 1);
	full_writes(1, 1); /* uses the tenth */
	MUST(wait_once(set, 10000) == 1);
	full_writes(1, 1);
}

/* A hang-up explains itself, however often it is reported. */
static void hang_up_5_times(void)
{
	int set = epoll_on(host, EPOLLOUT | EPOLLRDHUP);

	syscall(SYS_close, peer);
	raw_sleep_us(5000);
	for (int i = 0; i < 5; i++)
		MUST(wait_once(set, 10000) == 1);
}

static void find_4_sockets_dry(void)
{
	int set = epoll_on(host, EPOLLIN);

	for (int i = 0; i < 4; i++) {
		MUST(raw_write(peer, 10) == 10);
		MUST(wait_once(set, 10000) == 1);
		MUST(raw_read(host) == 10);
		MUST(read(host, block, 100) == -1 && errno == EAGAIN);
	}
}

static void find_3_listeners_dry(void)
{
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);
	int set = epoll_on(listener, EPOLLIN);

	set_nonblocking(listener);
	MUST(getsockname(listener, (struct sockaddr *)&address, &bytes) == 0);
	for (int i = 0; i < 3; i++) {
		int caller = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

		MUST(syscall(SYS_connect, caller, &address, bytes) == 0);
		MUST(wait_once(set, 10000) == 1);
		MUST(syscall(SYS_accept4, listener, NULL, NULL, 0) >= 0);
		MUST(accept4(listener, NULL, NULL, 0) == -1 && errno == EAGAIN);
	}
}

/* Threads. */

static void *do_nothing(void *unused)
{
	return unused;
}

static void *write_100_times(void *unused)
{
	for (int i = 0; i < 100; i++)
		MUST(send(host, "x", 1, 0) == 1);
	return unused;
}

static void run_threads(int count, void *(*work)(void *))
{
	pthread_t threads[32];

	for (int i = 0; i < count; i++)
		MUST(pthread_create(&threads[i], NULL, work, NULL) == 0);
	for (int i = 0; i < count; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
}

static void start_6_threads(void)
{
	run_threads(6, do_nothing);
}

/* All at once on one socket: the totals are exact even then. */
static void write_100_times_in_8_threads(void)
{
	set_buffer(host, SO_SNDBUF, 1 << 20);
	run_threads(8, write_100_times);
}

/* Growth: what `unspin stat` says of the buffer is what the kernel says. */
static void spin_until_grown(void)
{
	int bytes = 0, tries = 0;
	socklen_t size = sizeof(bytes);

	fill();
	while (write(host, "x", 1) == -1)
		MUST(errno == EAGAIN && ++tries < 1000);
	MUST(getsockopt(host, SOL_SOCKET, SO_SNDBUF, &bytes, &size) == 0);
	printf("{\"sndbuf\": %d, \"refused\": %d}\n", bytes, tries);
}

static const struct {
	const char *name;
	void (*begin)(void);
	void (*run)(void);
} cases[] = {
	{ "stalls", connect_tcp, stall_and_wait_23_times },
	{ "stalls_unix", connect_unix, stall_and_wait_23_times },
	{ "spins", connect_tcp, spin_23_times },
	{ "episodes", connect_tcp, spin_4_times_in_5_episodes },
	{ "tries_15", connect_tcp, spin_15_times },
	{ "tries_16", connect_tcp, spin_16_times },
	{ "sleeps", connect_tcp, sleep_between_9_tries },
	{ "shorts", connect_tcp, short_write_and_wait_7_times },
	{ "timeouts", connect_tcp, time_out_3_times },
	{ "dont_wait", connect_tcp, do_not_wait_2_times },
	{ "functions", connect_tcp, write_by_all_functions },
	{ "file_end", connect_tcp, send_beyond_the_end },
	{ "file_middle", connect_tcp, stall_in_the_middle_of_a_file },
	{ "responses", connect_tcp, answer_11_requests },
	{ "idle", connect_tcp, poll_idly_23_times },
	{ "ticks", connect_tcp, tick_5_times },
	{ "polls", connect_tcp, poll_once_after_events },
	{ "unused_out", connect_tcp, leave_9_out_events_unused },
	{ "hang_up", connect_tcp, hang_up_5_times },
	{ "dry", connect_tcp, find_4_sockets_dry },
	{ "herd", connect_tcp, find_3_listeners_dry },
	{ "threads", connect_tcp, start_6_threads },
	{ "shared", connect_tcp, write_100_times_in_8_threads },
	{ "growth", connect_tcp, spin_until_grown },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, argv[1]))
			continue;
		cases[i].begin();
		cases[i].run();
		return 0;
	}
	fprintf(stderr, "usage: it_known CASE\n");
	return 2;
}
