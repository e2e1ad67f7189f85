/* SPDX-License-Identifier: MIT */
/* Deterministic cases of reading and writing. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "exact.h"
#include "pattern.h"

#define CALLS 9

/* The n-th way to write; 0 bytes too. */
static long put(int fd, uint32_t way, size_t n, int flags)
{
	void *data = (void *)pattern(7, 0);
	struct iovec iov[3] = { { data, n / 3 }, { data, 0 }, { (char *)data + n / 3, n - n / 3 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };
	struct mmsghdr mm = { .msg_hdr = m };
	off_t at = 0;

	switch (way % CALLS) {
	case 0:
		return DO("write", write(fd, data, n));
	case 1:
		return DO("writev", writev(fd, iov, 3));
	case 2:
		return DO("send", send(fd, data, n, flags));
	case 3:
		return DO("sendto", sendto(fd, data, n, flags, NULL, 0));
	case 4:
		return DO("sendmsg", sendmsg(fd, &m, flags));
	case 5:
		return DO("sendmmsg", sendmmsg(fd, &mm, 1, flags));
	case 6:
		return DO("sendfile", sendfile(fd, RING_FD, &at, n));
	case 7:
		return DO("sendfile64", sendfile64(fd, RING_FD, &at, n));
	default:
		return DO("splice", splice(RING_FD, NULL, fd, NULL, n, SPLICE_F_NONBLOCK));
	}
}

static long get(int fd, uint32_t way, size_t n)
{
	char buf[4096];
	struct iovec iov = { buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = m };

	switch (way % 6) {
	case 0:
		return DO("read", read(fd, buf, n));
	case 1:
		return DO("recv", recv(fd, buf, n, MSG_DONTWAIT));
	case 2:
		return DO("recvfrom", recvfrom(fd, buf, n, MSG_DONTWAIT | MSG_PEEK, NULL, NULL));
	case 3:
		return DO("recvmsg", recvmsg(fd, &m, MSG_DONTWAIT));
	case 4:
		return DO("recvmmsg", recvmmsg(fd, &mm, 1, MSG_DONTWAIT, NULL));
	default:
		return DO("readv", readv(fd, &iov, 1));
	}
}

static void open_ends(struct ends *e, uint64_t draw)
{
	if (draw % 4 == 0)
		exact_pair(e, SOCK_STREAM);
	else if (draw % 4 == 1)
		exact_pair(e, SOCK_DGRAM);
	else
		exact_tcp(e, draw & 16 ? 1 : 0);
}

/* Small writes fit always: whole, by every call; nothing at all is 0. */
static void case_small(uint64_t draw)
{
	uint64_t at = draw;
	struct ends e;

	open_ends(&e, draw);
	for (uint32_t way = 0; way < CALLS - 1; way++) {
		long n = put(e.near, way, chance_range(chance_next(&at), 1, 1200),
			     draw & 32 ? MSG_NOSIGNAL : 0);

		trace("arrived %llu\n",
		      (unsigned long long)exact_far_drain(&e, way == 5 ? 1 : (uint64_t)n));
		if (draw % 4 != 1) /* an empty datagram would be one */
			put(e.near, way, 0, 0);
	}
	exact_close(&e, draw);
}

static void case_pipe(uint64_t draw)
{
	struct ends e;

	exact_pipe(&e);
	put(e.near, 0, 100, 0);
	put(e.near, 1, 200, 0);
	put(e.near, 2, 300, 0); /* no socket */
	put(e.near, 4, 300, 0);
	put(e.near, 8, 400, 0);
	trace("arrived %llu\n", (unsigned long long)exact_far_drain(&e, 700));
	close(e.far);
	e.far = -1;
	put(e.near, (uint32_t)draw % 2, 10, 0);
	exact_close(&e, draw);
}

static void case_shut(uint64_t draw)
{
	uint64_t at = draw;
	struct ends e;

	exact_tcp(&e, draw & 16 ? 1 : 0);
	put(e.near, 0, 500, 0);
	DO("shutdown", shutdown(e.near, draw & 32 ? SHUT_WR : SHUT_RDWR));
	for (int n = 0; n < 5; n++)
		put(e.near, chance_below(chance_next(&at), CALLS - 1), 100,
		    draw & 64 ? MSG_NOSIGNAL : 0);
	trace("arrived %llu\n", (unsigned long long)exact_far_drain(&e, 500));
	exact_close(&e, draw);
}

/* One ECONNRESET for whoever comes first, then EPIPE or the end of the stream. */
static void after_reset(int fd, uint64_t draw)
{
	uint64_t at = draw;

	for (int n = 0; n < 5; n++)
		if (chance_below(chance_next(&at), 4) == 0)
			get(fd, (uint32_t)chance_next(&at), 100);
		else
			put(fd, chance_below(chance_next(&at), CALLS - 1), 100 + (size_t)n,
			    draw & 64 ? MSG_NOSIGNAL : 0);
}

static void case_reset(uint64_t draw)
{
	struct ends e;

	exact_tcp(&e, draw & 16 ? 1 : 0);
	put(e.near, 0, 500, 0);
	if (draw & 128)
		exact_far_drain(&e, 500);
	exact_far_reset(&e);
	after_reset(e.near, draw);
	exact_close(&e, draw);
}

static void case_reset_when_full(uint64_t draw)
{
	struct ends e;

	exact_tcp(&e, 1);
	exact_fill(e.near, chance_range(draw, 1, 40));
	exact_far_reset(&e);
	after_reset(e.near, draw);
	exact_close(&e, draw);
}

/* Full, then drained: one edge must come, by each form of interest. */
static void case_edge(uint64_t draw)
{
	struct epoll_event want = { EPOLLOUT | EPOLLET | (draw & 32 ? EPOLLIN : 0),
				    { .u64 = draw } },
			   got = { 0 };
	int set = epoll_create1(EPOLL_CLOEXEC);
	uint64_t sent;
	struct ends e;

	exact_tcp(&e, 1);
	if (draw & 64)
		DO("add", epoll_ctl(set, EPOLL_CTL_ADD, e.near, &want));
	if (draw & 64)
		DO("wait", epoll_wait(set, &got, 1, 1000));
	sent = exact_fill(e.near, draw & 128 ? 1 : 30);
	if (!(draw & 64))
		DO("add", epoll_ctl(set, EPOLL_CTL_ADD, e.near, &want));
	trace("all %d\n", exact_far_drain(&e, sent) == sent);
	DO("edge", epoll_wait(set, &got, 1, 1000));
	trace("data %d\n", got.data.u64 == draw);
	DO("no edge", epoll_wait(set, &got, 1, 0));
	put(e.near, 0, 100, 0);
	close(set);
	exact_close(&e, draw);
}

static void case_read(uint64_t draw)
{
	struct ends e;
	uint32_t way = (uint32_t)draw;

	exact_tcp(&e, 1);
	get(e.near, way, 100);
	exact_far_send(&e, 1000);
	for (uint32_t n = 0; n < 7; n++)
		get(e.near, way + n, 100 + n);
	close(e.far);
	e.far = -1;
	usleep(2000);
	for (uint32_t n = 0; n < 9; n++)
		get(e.near, way + n, 300);
	put(e.near, way % (CALLS - 1), 10, 0); /* half-closed by the peer: still writable */
	exact_close(&e, draw);
}

const struct exact_case exact_io_cases[] = {
	{ "small", case_small }, { "pipe", case_pipe }, { "shut", case_shut },
	{ "reset", case_reset }, { "edge", case_edge }, { "reset-when-full", case_reset_when_full },
	{ "read", case_read },
};
const uint32_t exact_io_count = sizeof(exact_io_cases) / sizeof(*exact_io_cases);
