/* SPDX-License-Identifier: MIT */
#include "exact.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "pattern.h"
#include "scene.h"

#define CASES_PER_SEED 14
#define FILL_MS	       60

static uint32_t calls;

int exact_odd(void)
{
	return (int)(5000 + ++calls % 1000);
}

uint32_t exact_pipes(void)
{
	return self.sigpipes;
}

void exact_book(const char *what, int odd, uint32_t pipes, long r, int error)
{
	board->progress++;
	if (r >= 0 && error != odd)
		violate("errno-on-success", "%s: returned %ld, errno %d became %d", what, r, odd,
			error);
	trace("%s %ld %s sigpipe %u\n", what, r, r < 0 ? strerrorname_np(error) : "-",
	      self.sigpipes - pipes);
}

void exact_tcp(struct ends *ret, int is_nonblocking)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ethernet = 1448;

	MUST(listener >= 0 && bind(listener, (struct sockaddr *)&a, bytes) == 0 &&
	     listen(listener, 4) == 0);
	MUST(getsockname(listener, (struct sockaddr *)&a, &bytes) == 0);
	ret->far = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(ret->far >= 0);
	syscall(SYS_setsockopt, ret->far, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof(ethernet));
	MUST(syscall(SYS_connect, ret->far, &a, bytes) == 0);
	ret->near =
		accept4(listener, NULL, NULL, SOCK_CLOEXEC | (is_nonblocking ? SOCK_NONBLOCK : 0));
	MUST(ret->near >= 0 && close(listener) == 0);
	trace("tcp %d %d\n", ret->near, ret->far);
}

void exact_pair(struct ends *ret, int type)
{
	int pair[2];

	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
	*ret = (struct ends){ pair[0], pair[1] };
	trace("pair %d %d\n", pair[0], pair[1]);
}

void exact_pipe(struct ends *ret)
{
	int pair[2];

	MUST(pipe2(pair, O_CLOEXEC) == 0);
	*ret = (struct ends){ pair[1], pair[0] };
	trace("pipe %d %d\n", pair[0], pair[1]);
}

void exact_close(struct ends *e, uint64_t draw)
{
	call_close(e->near, draw);
	if (e->far >= 0)
		syscall(SYS_close, e->far);
	e->near = e->far = -1;
}

static void await(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	MUST(syscall(SYS_poll, &p, 1, 2000) == 1);
}

void exact_far_reset(struct ends *e)
{
	struct linger hard = { 1, 0 };

	syscall(SYS_setsockopt, e->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	syscall(SYS_close, e->far);
	e->far = -1;
	await(e->near, 0); /* POLLERR and POLLHUP need no asking */
}

uint64_t exact_far_drain(struct ends *e, uint64_t expected)
{
	char buf[65536];
	uint64_t bytes = 0;
	struct pollfd p = { e->far, POLLIN, 0 };
	long n;

	while (syscall(SYS_poll, &p, 1, bytes < expected ? 2000 : 0) == 1) {
		n = syscall(SYS_read, e->far, buf, sizeof(buf));
		if (n <= 0)
			break;
		bytes += (uint64_t)n;
	}
	return bytes;
}

void exact_far_send(struct ends *e, size_t n)
{
	char buf[4096] = "request";

	MUST(syscall(SYS_write, e->far, buf, n) == (long)n);
	await(e->near, POLLIN);
}

uint64_t exact_fill(int fd, uint32_t tries)
{
	uint64_t sent = 0, end = now_ns() + FILL_MS * 1000000ull;
	int error = 0;

	while (tries && (error != EAGAIN || now_ns() < end)) {
		ssize_t r = send(fd, pattern(3, 0), 1000000, MSG_NOSIGNAL);

		error = r < 0 ? errno : 0;
		sent += r > 0 ? (uint64_t)r : 0;
		tries -= r < 0;
	}
	trace("filled %s\n", strerrorname_np(error));
	return sent;
}

static const struct exact_case *pick_case(uint64_t n)
{
	uint32_t pick = (uint32_t)(n % (exact_io_count + exact_life_count + exact_special_count));

	if (pick < exact_io_count)
		return &exact_io_cases[pick];
	pick -= exact_io_count;
	return pick < exact_life_count ? &exact_life_cases[pick]
				       : &exact_special_cases[pick - exact_life_count];
}

void scene_exact(uint64_t seed)
{
	uint64_t at = chance(seed, 0x45584143);

	for (uint64_t n = 0; n < CASES_PER_SEED; n++) {
		const struct exact_case *c = pick_case(seed * CASES_PER_SEED + n);

		trace("case %s\n", c->name);
		c->run(chance_next(&at));
	}
	board->sigpipes = self.sigpipes;
}
