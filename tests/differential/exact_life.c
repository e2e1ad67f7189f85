/* SPDX-License-Identifier: MIT */
/* Deterministic cases of descriptors: made, doubled, ended, reused, asked about, used wrongly. */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "exact.h"
#include "pattern.h"

#define SLOTS 12

static int lowest_free(void)
{
	int fd = 0;

	while (syscall(SYS_fcntl, fd, F_GETFD) >= 0)
		fd++;
	return fd;
}

static int make(uint32_t way, const int *slot, uint32_t n)
{
	int some = n ? slot[way / 16 % n] : 0, pair[2], r;

	switch (way % 8) {
	case 0:
		return (int)DO("socket tcp", socket(AF_INET, SOCK_STREAM, 0));
	case 1:
		return (int)DO("socket udp", socket(AF_INET, SOCK_DGRAM, 0));
	case 2:
		return (int)DO("socket unix", socket(AF_UNIX, SOCK_STREAM, 0));
	case 3:
		return (int)DO("epoll_create1", epoll_create1(0));
	case 4:
		return (int)DO("dup", dup(some));
	case 5:
		r = (int)DO("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		MUST(r == 0 && close(pair[1]) == 0);
		return pair[0];
	case 6:
		return (int)DO("open", open("/dev/null", O_RDWR));
	default:
		r = (int)DO("dup2", dup2(some, 40 + (int)(way / 64 % 8)));
		MUST(r >= 0 && syscall(SYS_close, r) == 0);
		return (int)DO("dup", dup(some));
	}
}

/* Every number handed out is the lowest that is free, in whatever order others were given back. */
static void case_numbers(uint64_t draw)
{
	int slot[SLOTS];
	uint32_t n = 0;

	for (uint64_t at = draw, end = draw + 40; at < end;) {
		uint64_t d = chance_next(&at);

		if (n < SLOTS && (n == 0 || d & 1)) {
			int free = lowest_free();

			slot[n] = make((uint32_t)(d >> 1), slot, n);
			if (slot[n] != free)
				violate("lowest", "got %d, lowest free %d", slot[n], free);
			n++;
		} else {
			uint32_t i = chance_below(d, n);

			call_close(slot[i], d >> 8);
			slot[i] = slot[--n];
		}
	}
	while (n)
		call_close(slot[--n], draw++);
	trace("lowest %d\n", lowest_free());
}

static void case_wrong(uint64_t draw)
{
	struct ends e;
	int file = open("/dev/null", O_RDWR | O_CLOEXEC), tcp = socket(AF_INET, SOCK_STREAM, 0);
	/* Wrong on purpose, and volatile so that no compiler sees it. */
	void *volatile nowhere = (void *)8;
	volatile int negative = -1;
	static struct iovec many[1025];
	struct iovec bad = { nowhere, 10 };
	struct epoll_event ev = { EPOLLIN, { .u64 = 1 } };

	exact_tcp(&e, draw & 1 ? 1 : 0);
	DO("write bad fd", write(500, "x", 1));
	DO("send bad fd", send(-1, "x", 1, 0));
	DO("send file", send(file, "x", 1, 0));
	DO("write unconnected", write(tcp, "x", 1));
	DO("send unconnected", send(tcp, "x", 1, MSG_NOSIGNAL));
	DO("write nowhere", write(e.near, nowhere, 10));
	DO("writev nowhere", writev(e.near, &bad, 1));
	DO("writev wild", writev(e.near, nowhere, 1));
	DO("writev too many", writev(e.near, many, 1025));
	DO("writev negative", writev(e.near, many, negative));
	DO("sendmsg wild", sendmsg(e.near, nowhere, 0));
	DO("sendfile bad", sendfile(e.near, 500, NULL, 10));
	DO("sendfile socket", sendfile(e.near, tcp, NULL, 10));
	DO("splice no pipe", splice(tcp, NULL, e.near, NULL, 10, 0));
	DO("close bad", close(500));
	DO("dup bad", dup(500));
	DO("dup2 bad", dup2(500, 41));
	DO("dup3 same", dup3(file, file, 0));
	DO("dup2 same", dup2(file, file) - file);
	DO("close_range turned", close_range(60, 50, 0));
	DO("shutdown file", shutdown(file, SHUT_WR));
	DO("listen file", listen(file, 1));
	DO("accept file", accept(file, NULL, NULL));
	DO("epoll_ctl file", epoll_ctl(file, EPOLL_CTL_ADD, e.near, &ev));
	DO("epoll_wait file", epoll_wait(file, &ev, 1, 0));
	DO("setsockopt file", setsockopt(file, SOL_SOCKET, SO_SNDBUF, &tcp, sizeof(tcp)));
	DO("write after all", write(e.near, "ok", 2));
	trace("arrived %llu\n", (unsigned long long)exact_far_drain(&e, 2));
	call_close(file, draw);
	call_close(tcp, draw >> 4);
	exact_close(&e, draw);
}

/* The number of a socket that was busy becomes something else behind the library's back. */
static void case_reuse(uint64_t draw)
{
	int pair[2], number, pipe_far;
	char buf[64];
	struct ends e;

	exact_tcp(&e, 1);
	exact_fill(e.near, 30);
	number = e.near;
	MUST(pipe2(pair, O_CLOEXEC) == 0);
	pipe_far = pair[0];
	if (draw & 1) {
		syscall(SYS_close, number);
		MUST(syscall(SYS_dup3, pair[1], number, O_CLOEXEC) == number);
	} else {
		MUST(dup2(pair[1], number) == number);
	}
	close(pair[1]);
	DO("write", write(number, "pipe", 4));
	DO("send", send(number, "pipe", 4, 0));
	DO("read", read(pipe_far, buf, sizeof(buf)));
	DO("close", close(number));
	DO("write closed", write(number, "x", 1));
	close(pipe_far);
	syscall(SYS_close, e.far);
}

static void book_events(const char *what, struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++)
		trace("%s %x %llx\n", what, events[i].events,
		      (unsigned long long)events[i].data.u64);
}

static void case_epoll(uint64_t draw)
{
	struct epoll_event a = { EPOLLIN | EPOLLOUT, { .u64 = draw } },
			   b = { EPOLLIN, { .u64 = ~draw } }, got[4];
	int set = epoll_create1(EPOLL_CLOEXEC), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct ends e, f;

	exact_tcp(&e, 1);
	exact_pair(&f, SOCK_STREAM);
	if (draw & 1)
		a.events |= EPOLLET;
	DO("add", epoll_ctl(set, EPOLL_CTL_ADD, e.near, &a));
	DO("add twice", epoll_ctl(set, EPOLL_CTL_ADD, e.near, &a));
	DO("mod absent", epoll_ctl(set, EPOLL_CTL_MOD, f.near, &b));
	DO("del absent", epoll_ctl(set, EPOLL_CTL_DEL, f.near, &b));
	DO("add", epoll_ctl(set, EPOLL_CTL_ADD, f.near, &b));
	DO("add file", epoll_ctl(set, EPOLL_CTL_ADD, file, &b));
	for (int n = 0; n < 2; n++)
		book_events("event", got, (int)DO("epoll_wait", epoll_wait(set, got, 4, 0)));
	exact_far_send(&e, 10);
	exact_far_send(&f, 10);
	book_events("event", got, (int)DO("epoll_pwait", epoll_pwait(set, got, 1, 0, NULL)));
	book_events("event", got, (int)DO("epoll_wait", epoll_wait(set, got, 4, 0)));
	a.events = EPOLLIN | EPOLLONESHOT;
	DO("mod", epoll_ctl(set, EPOLL_CTL_MOD, e.near, &a));
	for (int n = 0; n < 2; n++)
		book_events("event", got, (int)DO("epoll_wait", epoll_wait(set, got, 4, 0)));
	a.events = EPOLLIN | EPOLLEXCLUSIVE;
	DO("mod exclusive", epoll_ctl(set, EPOLL_CTL_MOD, e.near, &a));
	DO("wait none", epoll_wait(set, got, 0, 0));
	DO("del", epoll_ctl(set, EPOLL_CTL_DEL, f.near, &b));
	exact_close(&f, draw);
	exact_close(&e, draw >> 4);
	DO("wait empty", epoll_wait(set, got, 4, 1));
	close(file);
	call_close(set, draw >> 8);
}

static void case_poll(uint64_t draw)
{
	struct ends e;
	struct pollfd p[3];
	struct timeval none = { 0, 0 };
	fd_set in, out;

	exact_tcp(&e, 1);
	if (draw & 1)
		exact_far_send(&e, 5);
	p[0] = (struct pollfd){ e.near, POLLIN | POLLOUT, 0 };
	p[1] = (struct pollfd){ 500, POLLIN, 0 };
	p[2] = (struct pollfd){ -1, POLLIN, 0 };
	DO("poll", poll(p, 3, 0));
	trace("revents %x %x %x\n", (unsigned)p[0].revents, (unsigned)p[1].revents,
	      (unsigned)p[2].revents);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(e.near, &in);
	FD_SET(e.near, &out);
	DO("select", select(e.near + 1, &in, &out, NULL, &none));
	trace("sets %d %d\n", !!FD_ISSET(e.near, &in), !!FD_ISSET(e.near, &out));
	exact_far_reset(&e);
	DO("poll reset", poll(p, 1, 0));
	trace("revents %x\n", (unsigned)p[0].revents);
	exact_close(&e, draw);
}

static int get_int(int fd, int option)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	getsockopt(fd, SOL_SOCKET, option, &value, &bytes);
	return value;
}

static void case_options(uint64_t draw)
{
	int size = (int)chance_range(draw, 1, 300000);
	struct ends e;

	exact_tcp(&e, draw & 1 ? 1 : 0);
	DO("setsockopt", setsockopt(e.near, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	trace("sndbuf %d error %d\n", get_int(e.near, SO_SNDBUF), get_int(e.near, SO_ERROR));
	DO("write", write(e.near, pattern(1, 0), 1000));
	trace("arrived %llu\n", (unsigned long long)exact_far_drain(&e, 1000));
	trace("sndbuf %d flags %x\n", get_int(e.near, SO_SNDBUF), (unsigned)fcntl(e.near, F_GETFL));
	exact_far_reset(&e);
	trace("error %d then %d\n", get_int(e.near, SO_ERROR), get_int(e.near, SO_ERROR));
	DO("write", write(e.near, "x", 1));
	exact_close(&e, draw);
}

const struct exact_case exact_life_cases[] = {
	{ "numbers", case_numbers }, { "wrong", case_wrong }, { "reuse", case_reuse },
	{ "epoll", case_epoll },     { "poll", case_poll },   { "options", case_options },
};
const uint32_t exact_life_count = sizeof(exact_life_cases) / sizeof(*exact_life_cases);
