/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the contract tests share: sockets with small buffers, and the protocol
 * with tests/contract/ct.py. A helper is an ordinary program that knows nothing of the shim; it
 * does a known number of things and says on stdout what it did:
 *
 *	expect NAME N      the shim's total NAME must be N
 *	fact NAME VALUE    anything else the test wants to know
 *
 * A helper exits 0 when all it saw itself was right. Libc only; every function ends the program
 * on an error that the scenario did not ask for.
 */
#ifndef UNSPIN_TESTS_CT_H
#define UNSPIN_TESTS_CT_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CT __attribute__((unused)) static

__attribute__((noreturn, format(printf, 1, 2))) CT void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "FAIL ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (errno %d %s)\n", errno, strerror(errno));
	exit(1);
}

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			die("%s:%d: %s", __FILE__, __LINE__, #condition);      \
	} while (0)

CT void expect(const char *name, uint64_t value)
{
	printf("expect %s %llu\n", name, (unsigned long long)value);
}

CT void fact(const char *name, uint64_t value)
{
	printf("fact %s %llu\n", name, (unsigned long long)value);
}

CT uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* nanosleep, not poll: a sleep is not a wait the shim wraps. */
CT void sleep_us(unsigned us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Not by fcntl(F_GETFL): a test makes that one fail. */
CT void set_nonblocking(int fd)
{
	MUST(ioctl(fd, FIONBIO, &(int){ 1 }) == 0);
}

CT void set_int(int fd, int level, int option, int value)
{
	MUST(setsockopt(fd, level, option, &value, sizeof(value)) == 0);
}

CT int get_int(int fd, int level, int option)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, level, option, &value, &bytes) ? -errno : value;
}

/* A listener on a free loopback port. */
CT int tcp_listener(struct sockaddr_in *ret_address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t bytes = sizeof(*ret_address);

	MUST(fd >= 0);
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sin_family = AF_INET;
	ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(fd, (struct sockaddr *)ret_address, bytes) == 0);
	MUST(listen(fd, 512) == 0);
	MUST(getsockname(fd, (struct sockaddr *)ret_address, &bytes) == 0);
	return fd;
}

/*
 * pair[0] is the accepted, non-blocking end, pair[1] the dialled, blocking one. The receive
 * buffer is small so that a sender fills up soon (0: the kernel's default).
 */
CT void tcp_pair_on(int listener, const struct sockaddr_in *address, int rcvbuf, int pair[2])
{
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	MUST(pair[1] >= 0);
	if (rcvbuf)
		set_int(pair[1], SOL_SOCKET, SO_RCVBUF, rcvbuf);
	MUST(connect(pair[1], (const struct sockaddr *)address, sizeof(*address)) == 0);
	pair[0] = accept(listener, NULL, NULL);
	MUST(pair[0] >= 0);
	set_nonblocking(pair[0]);
}

CT void tcp_pair(int rcvbuf, int pair[2])
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address);

	tcp_pair_on(listener, &address, rcvbuf, pair);
	MUST(close(listener) == 0);
}

/* A local pair with a small buffer: a write of up to 4 KB is taken whole or not at all. */
CT void unix_pair(int pair[2])
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 32768);
	set_nonblocking(pair[0]);
}

/* Takes all that has arrived, by raw system call: the shim must not see it. */
CT uint64_t drain_now(int fd)
{
	static char buffer[262144];
	uint64_t bytes = 0;
	long n;

	while ((n = syscall(SYS_recvfrom, fd, buffer, sizeof(buffer), MSG_DONTWAIT, NULL, NULL)) > 0)
		bytes += (uint64_t)n;
	return bytes;
}

/*
 * The same until nothing has come for a while: TCP delivers what was queued only after its
 * window has opened. The pauses are sleeps of the calling thread, which end a spin.
 */
CT uint64_t drain(int fd)
{
	uint64_t bytes = 0;

	for (int quiet = 0; quiet < 20; quiet++) {
		uint64_t n = drain_now(fd);

		bytes += n;
		if (n)
			quiet = 0;
		sleep_us(500);
	}
	return bytes;
}

/* What a helper can do, by name; a table ends with an empty row. */
struct scenario {
	const char *name;
	void (*run)(void);
};

#define SCENARIO(name) { #name, name }

/*
 * Runs the scenario the command names; without a name, lists them. Returns the exit code: 2 when
 * there is none of that name, so that no test passes by a misspelling.
 */
CT int run_scenario(const struct scenario *scenario, int argc, char **argv)
{
	if (argc == 1)
		for (; scenario->name; scenario++)
			puts(scenario->name);
	else
		for (; scenario->name; scenario++)
			if (!strcmp(argv[1], scenario->name)) {
				scenario->run();
				return 0;
			}
	return argc == 1 ? 0 : 2;
}

#endif
