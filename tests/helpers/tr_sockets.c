/* SPDX-License-Identifier: MIT */
/*
 * tr_sockets SCENE: other kinds of sockets, and EAGAIN that is not that of a full buffer. What
 * natively returns at once must.
 *
 *	udp mptcp	passed through
 *	unix		gone on with, to a slow reader
 *	connecting	EAGAIN before the connection is made; after a connect nobody saw, too
 */
#include "tr_call.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct door door;

/* ---- other kinds ----------------------------------------------------------------------- */

static void play_udp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t bytes = sizeof(address);
	static char buffer[65536];
	size_t sent = 0, whole = 0;
	long n;

	MUST(bind(in, (void *)&address, bytes) == 0 && getsockname(in, (void *)&address, &bytes) == 0);
	MUST(connect(out, (void *)&address, bytes) == 0);
	set_int(in, SOL_SOCKET, SO_RCVBUF, 1 << 20);
	for (int i = 0; i < 200; i++) {
		ssize_t r;

		QUICK(r, i % 2 ? write(out, tr_pattern, 20000) : send(out, tr_pattern, 20000, 0));
		if (r != 20000 && !(r < 0 && errno == EAGAIN))
			die("datagram: %zd", r);
		sent += r > 0;
	}
	while ((n = syscall(SYS_recvfrom, in, buffer, sizeof(buffer), MSG_DONTWAIT, NULL, NULL)) > 0)
		whole += n == 20000;
	MUST(whole > 0 && whole <= sent);
	MUST(close(in) == 0 && close(out) == 0);
}

static void play_mptcp(void)
{
	struct door d = { .listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) };
	socklen_t bytes = sizeof(d.address);
	size_t at = 0, got = 0;
	struct pair p;

	if (d.listener < 0) {
		printf("skip no MPTCP: %s\n", strerror(errno));
		fflush(stdout);
		_exit(77);
	}
	d.address = door.address, d.address.sin_port = 0;
	MUST(bind(d.listener, (void *)&d.address, bytes) == 0 && listen(d.listener, 5) == 0);
	MUST(getsockname(d.listener, (void *)&d.address, &bytes) == 0);
	p.peer = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	MUST(connect(p.peer, (void *)&d.address, bytes) == 0);
	MUST((p.fd = accept(d.listener, NULL, NULL)) >= 0);
	set_nonblocking(p.fd);
	set_int(p.fd, SOL_SOCKET, SO_SNDBUF, 16384);
	for (int i = 0; i < 40; i++) {
		ssize_t r;

		QUICK(r, op_write(p.fd, at, 100000));
		if (r <= 0 && errno != EAGAIN)
			die("write: %zd", r);
		at += r > 0 ? (size_t)r : 0;
		if (i % 4 == 3)
			take(p.peer, &got, NULL);
	}
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, got, NULL) == at);
}

static void *slow_taker(void *argument)
{
	struct pair *p = argument;
	size_t got = 0;

	while (!take(p->peer, &got, NULL))
		sleep_us(200);
	return (void *)got;
}

static void play_unix(void)
{
	for (enum op op = 0; op < OPS; op++) {
		struct pair p = unix_open();
		pthread_t thread;
		size_t at = 0;
		void *got;

		MUST(pthread_create(&thread, NULL, slow_taker, &p) == 0);
		while (at < 1000000) {
			ssize_t r = op_call(op, p.fd, at, 1000000 - at, 0);

			MUST(r > 0 || (r < 0 && errno == EAGAIN));
			at += r > 0 ? (size_t)r : 0;
		}
		MUST(close(p.fd) == 0 && pthread_join(thread, &got) == 0);
		MUST((size_t)got == at);
	}
}

/* ---- connecting ------------------------------------------------------------------------ */

/* A listener that answers nobody: its queue is full. */
static struct door closed_door(void)
{
	struct door d = door_open(0);

	MUST(listen(d.listener, 0) == 0);
	dial(&d, 0);
	return d;
}

static void play_connecting(int is_seen)
{
	struct door d = closed_door();

	for (enum op op = 0; op < OPS; op++) {
		int fd = is_seen ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)
				 : (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ssize_t r;

		set_int(fd, IPPROTO_TCP, TCP_SYNCNT, 1);
		r = is_seen ? connect(fd, (void *)&d.address, sizeof(d.address))
			    : syscall(SYS_connect, fd, &d.address, sizeof(d.address));
		MUST(r < 0 && errno == EINPROGRESS);
		for (int i = 0; i < 3; i++) {
			QUICK(r, op_call(op, fd, 0, 100000, 0));
			printf("said %s connecting %zd %d\n", op_name[op], r, r < 0 ? errno : 0);
		}
		MUST(close(fd) == 0);
	}
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	watchdog(10);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	if (!strcmp(argv[1], "udp"))
		play_udp();
	else if (!strcmp(argv[1], "mptcp"))
		play_mptcp();
	else if (!strcmp(argv[1], "unix"))
		play_unix();
	else
		play_connecting(1), play_connecting(0);
	fact("slowest_tenths", tenths_of_ms(0, slowest_ns));
	return 0;
}
