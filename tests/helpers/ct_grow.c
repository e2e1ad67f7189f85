/* SPDX-License-Identifier: MIT */
/*
 * Stalls sockets of every kind and says what became of their send buffers; and how connections
 * end, which must be the same with grown buffers.   ct_grow SCENARIO
 */
#include "ct.h"
#include "ct_filter.h"

#include <signal.h>

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#define SND_LOCK 1
#define RCV_LOCK 2

static char block[65536];
static int pair[2];

static int sndbuf(int fd)
{
	return get_int(fd, SOL_SOCKET, SO_SNDBUF);
}

/* One refusal or short count: the buffer is full. */
static void stall(int fd)
{
	ssize_t n;

	do
		n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
	while (n == (ssize_t)sizeof(block));
	MUST(n >= 0 || errno == EAGAIN);
}

/* Tries that find a full buffer in any case: what a spinning host does. */
static void spin(int fd, int tries)
{
	for (int i = 0; i < tries; i++)
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0)
			MUST(errno == EAGAIN);
}

static void tell(int fd, int before)
{
	fact("before", (uint64_t)before);
	fact("after", (uint64_t)sndbuf(fd));
	fact("lock", (uint64_t)get_int(fd, SOL_SOCKET, SO_BUF_LOCK));
	fact("fd", (uint64_t)fd);
}

/* A connection whose reader does not read; `fixed`: the host chose its buffer size. */
static int stalled(int fixed)
{
	int before;

	tcp_pair(8192, pair);
	if (fixed)
		set_int(pair[0], SOL_SOCKET, SO_SNDBUF, fixed);
	before = sndbuf(pair[0]);
	stall(pair[0]);
	return before;
}

/* Small as on a real network (loopback begins with megabytes), and the kernel's to tune. */
static void make_tuned(int fd)
{
	int lock = get_int(fd, SOL_SOCKET, SO_BUF_LOCK);

	set_int(fd, SOL_SOCKET, SO_SNDBUF, 20000);
	set_int(fd, SOL_SOCKET, SO_BUF_LOCK, lock);
}

static void plain(void)
{
	int before = stalled(0);

	tell(pair[0], before);
}

static void from_tuned(int tries)
{
	int before;

	tcp_pair(8192, pair);
	make_tuned(pair[0]);
	before = sndbuf(pair[0]);
	stall(pair[0]);
	spin(pair[0], tries);
	tell(pair[0], before);
}

static void tuned(void) { from_tuned(0); }
static void tuned_spinner(void) { from_tuned(600); }

static void fixed_size(void)
{
	int before = stalled(20000);

	tell(pair[0], before);
}

/* The receive buffer's lock is the host's and stays; so does the send buffer's where it is. */
static void rcv_locked(int fixed, int lock)
{
	int before;

	tcp_pair(8192, pair);
	set_int(pair[0], SOL_SOCKET, SO_RCVBUF, 20000);
	if (fixed)
		set_int(pair[0], SOL_SOCKET, SO_SNDBUF, fixed);
	else
		make_tuned(pair[0]);
	before = sndbuf(pair[0]);
	MUST(get_int(pair[0], SOL_SOCKET, SO_BUF_LOCK) == lock);
	stall(pair[0]);
	tell(pair[0], before);
}

static void rcv_lock(void) { rcv_locked(0, RCV_LOCK); }
static void both_locks(void) { rcv_locked(20000, SND_LOCK | RCV_LOCK); }

/* On and on: the reader never reads, the host never stops. */
static void for_ever(void)
{
	int before = stalled(20000);

	for (int i = 0; i < 300; i++)
		spin(pair[0], 20);
	tell(pair[0], before);
}

static void lowat(void)
{
	int before;

	tcp_pair(8192, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 20000);
	set_int(pair[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384);
	before = sndbuf(pair[0]);
	stall(pair[0]);
	spin(pair[0], 40);
	tell(pair[0], before);
}

/* Set on the listener, inherited by what it accepts. */
static void lowat_of_listener(void)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address), before;

	set_int(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384);
	set_int(listener, SOL_SOCKET, SO_SNDBUF, 20000);
	tcp_pair_on(listener, &address, 8192, pair);
	before = sndbuf(pair[0]);
	stall(pair[0]);
	spin(pair[0], 40);
	tell(pair[0], before);
}

/* A host that waits, and a reader that is slow: no bigger buffer helps. */
static void slow_reader(void)
{
	struct pollfd out;
	int before;
	char little[2000];

	tcp_pair(8192, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 200000);
	before = sndbuf(pair[0]);
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	for (int i = 0; i < 200; i++) {
		if (send(pair[0], block, sizeof(block), 0) == (ssize_t)sizeof(block))
			continue;
		poll(&out, 1, 3);
		if (i % 4 == 0)
			syscall(SYS_recvfrom, pair[1], little, sizeof(little), MSG_DONTWAIT, NULL, NULL);
	}
	tell(pair[0], before);
}

/* ---- what is none of our business ------------------------------------------------------- */

static void local(void)
{
	int before;

	unix_pair(pair);
	before = sndbuf(pair[0]);
	stall(pair[0]);
	spin(pair[0], 40);
	tell(pair[0], before);
}

static void datagrams(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), before;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	set_int(fd, SOL_SOCKET, SO_SNDBUF, 4000);
	before = sndbuf(fd);
	for (int i = 0; i < 100; i++)
		sendto(fd, block, 60000, 0, (void *)&to, sizeof(to));
	tell(fd, before);
}

/* A blocking socket with a time limit returns short counts and EAGAIN, too. */
static void blocking(void)
{
	struct timeval limit = { 0, 30000 };
	int before;

	tcp_pair(8192, pair);
	MUST(fcntl(pair[0], F_SETFL, 0) == 0);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 20000);
	MUST(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0);
	before = sndbuf(pair[0]);
	for (int i = 0; i < 8; i++)
		send(pair[0], block, sizeof(block), 0);
	tell(pair[0], before);
}

/* ---- many ------------------------------------------------------------------------------- */

enum { MANY = 40 };

/* Stalls 40 connections, then closes them in every way, then one more. */
static void many(void)
{
	int all[MANY][2], added = 0, before;

	for (int i = 0; i < MANY; i++) {
		before = stalled(20000);
		spin(pair[0], 40);
		added += sndbuf(pair[0]) - before;
		memcpy(all[i], pair, sizeof(pair));
	}
	fact("added", (uint64_t)added);
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			MUST(close(all[i][0]) == 0);
		if (i % 3 == 1)
			MUST(dup2(0, all[i][0]) == all[i][0]);
		if (i % 3 == 2)
			MUST(close_range((unsigned)all[i][0], (unsigned)all[i][0], 0) == 0);
	}
	before = stalled(20000);
	spin(pair[0], 40);
	tell(pair[0], before);
	fact("added_last", (uint64_t)(sndbuf(pair[0]) - before));
}

/* ---- the end of connections: results must be the same natively -------------------------- */

static void result(const char *what, long n)
{
	printf("%s %ld %d\n", what, n, n < 0 ? errno : 0);
	fflush(stdout);
}

static uint64_t fill(int fd)
{
	uint64_t sent = 0;
	ssize_t n;

	for (int refusals = 0; refusals < 5;) {
		n = send(fd, block, 30000, MSG_NOSIGNAL);
		refusals += n < 0;
		sent += n > 0 ? (uint64_t)n : 0;
	}
	return sent;
}

static uint64_t receive_all(int fd)
{
	uint64_t got = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		got += (uint64_t)n;
	MUST(n == 0);
	return got;
}

static void prepare(void)
{
	tcp_pair(8192, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 20000);
}

/* Closed with a full buffer: the reader gets every byte, then the end. */
static void fin(void)
{
	uint64_t sent, early = 0;

	prepare();
	sent = fill(pair[0]);
	MUST(shutdown(pair[0], SHUT_WR) == 0);
	result("after_shutdown", send(pair[0], block, 10, MSG_NOSIGNAL));
	early = receive_all(pair[1]);
	result("missing", (long)(sent - early));
	result("closed", close(pair[0]));
	prepare();
	sent = fill(pair[0]);
	MUST(close(pair[0]) == 0);
	result("missing_after_close", (long)(sent - receive_all(pair[1])));
}

static void peer_fin(void)
{
	prepare();
	fill(pair[0]);
	MUST(shutdown(pair[1], SHUT_WR) == 0);
	result("read", recv(pair[0], block, 10, 0));
	result("no_error", get_int(pair[0], SOL_SOCKET, SO_ERROR));
	drain(pair[1]);
	result("write", send(pair[0], block, 10, MSG_NOSIGNAL));
}

static void reset(int by_read)
{
	struct linger now = { 1, 0 };
	struct pollfd both;

	prepare();
	fill(pair[0]);
	MUST(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	MUST(close(pair[1]) == 0);
	both = (struct pollfd){ pair[0], POLLIN | POLLOUT | POLLRDHUP, 0 };
	result("poll", poll(&both, 1, 1000));
	result("revents", both.revents);
	if (by_read)
		result("read", recv(pair[0], block, 10, 0));
	result("write", send(pair[0], block, 10, MSG_NOSIGNAL));
	result("write", send(pair[0], block, 10, MSG_NOSIGNAL));
	result("read", recv(pair[0], block, 10, 0));
}

static void rst(void) { reset(0); }
static void rst_read(void) { reset(1); }

static void sigpipe(void)
{
	prepare();
	fill(pair[0]);
	MUST(shutdown(pair[0], SHUT_WR) == 0);
	result("before", 0);
	result("alive", write(pair[0], block, 10));
}

static const struct scenario scenarios[] = {
	SCENARIO(plain), SCENARIO(tuned), SCENARIO(tuned_spinner),
	SCENARIO(fixed_size), SCENARIO(rcv_lock), SCENARIO(both_locks), SCENARIO(for_ever),
	SCENARIO(lowat), SCENARIO(lowat_of_listener), SCENARIO(slow_reader), SCENARIO(local),
	SCENARIO(datagrams), SCENARIO(blocking), SCENARIO(many), SCENARIO(fin), SCENARIO(peer_fin),
	SCENARIO(rst), SCENARIO(rst_read), SCENARIO(sigpipe), { NULL, NULL },
};

int main(int argc, char **argv)
{
	filter_from_environment();
	return run_scenario(scenarios, argc, argv);
}
