/* SPDX-License-Identifier: MIT */
/*
 * A host whose socket calls are known to the last one: `it_known CASE` provokes what the table at
 * the end says and exits. tests/integration/known/test_known.py reads its statistics and knows
 * what they must show.
 */
#include "it_host.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

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

/* 5 stalls, and each time two waits of 20 ms for something else before the turn comes again. */
static void stall_while_others_wait(void)
{
	int other = epoll_on(listener, EPOLLIN);

	for (int i = 0; i < 5; i++) {
		fill();
		refused_writes(1);
		MUST(wait_once(other, 20) == 0 && wait_once(other, 20) == 0);
		drain();
		wait_writable();
		full_writes(1, 1);
	}
}

/* A loop that stalls all the time lives from its waits no less. */
static void wait_and_stall_300_times(void)
{
	int set = epoll_on(host, EPOLLOUT);

	for (int i = 0; i < 300; i++) {
		MUST(wait_once(set, 10000) == 1);
		MUST(write(host, block, sizeof(block)) < (ssize_t)sizeof(block));
		while (raw_read(peer) > 0)
			continue;
	}
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
	{ "trips", connect_tcp, stall_while_others_wait },
	{ "roles", connect_tcp, wait_and_stall_300_times },
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
