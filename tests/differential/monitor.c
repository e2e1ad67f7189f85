/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chance.h"

/* A socket writable for so long without its edge will never get it: edges come with the ACK. */
#define NO_EDGE_MS 150

/* A peer that does not read proves nothing. */
#define GIVE_UP_MS 30

static int set = -1;

void monitor_start(void)
{
	set = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	MUST(set >= 0);
	/* Out of the way: the program's own numbers must be those of a program without us. */
	MUST(syscall(SYS_dup3, set, BOARD_FD + 10, 0) >= 0);
	syscall(SYS_close, set);
	set = BOARD_FD + 10;
}

void monitor_stop(void)
{
	syscall(SYS_close, set);
	set = -1;
}

static int is_watched(const struct conn *c)
{
	return c->is_nonblocking && c->plan->style != SCENE_chop && c->plan->style != SCENE_fork &&
	       (c->plan->kind == KIND_ACCEPT || c->plan->kind == KIND_DIAL);
}

void monitor_add(struct conn *c)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET, .data.u32 = c->plan->id };

	syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, c->fd, &e);
}

void monitor_remove(struct conn *c)
{
	struct epoll_event e = { 0 };

	syscall(SYS_epoll_ctl, set, EPOLL_CTL_DEL, c->fd, &e);
}

/* Books the edges that have come, whoever's they are. */
static void collect(int timeout_ms)
{
	struct epoll_event events[32];
	long n;

	while ((n = syscall(SYS_epoll_pwait, set, events, 32, timeout_ms, NULL, _NSIG / 8)) > 0) {
		for (long i = 0; i < n; i++)
			conns[events[i].data.u32].edges++;
		timeout_ms = 0;
	}
}

uint32_t monitor_mark(struct conn *c)
{
	if (!is_watched(c))
		return 0;
	collect(0);
	return c->edges;
}

void monitor_expect(struct conn *c, uint32_t mark, const char *op, ssize_t r)
{
	uint32_t stalls = c->side->eagains + c->side->shorts;
	struct pollfd out = { .fd = c->fd, .events = POLLOUT };
	uint64_t start = now_ns(), writable = 0, now = start;

	if (!is_watched(c) || (stalls > 4 && chance(c->plan->draw, stalls) % 16))
		return;
	for (; c->edges == mark; now = now_ns()) {
		collect(1);
		if (c->edges != mark)
			break;
		/* Asking tells the kernel that we wait, which would make up for a missing mark; but
		 * only when the socket is not writable, and then the question starts anew. */
		if (syscall(SYS_poll, &out, 1, 0) != 1) {
			if (now - start > GIVE_UP_MS * 1000000ull)
				return;
		} else if (!writable) {
			writable = now;
		} else if (now - writable > NO_EDGE_MS * 1000000ull) {
			violate("made-up-stall",
				"%s on connection %u returned %zd, but it is writable and no edge "
				"came",
				op, c->plan->id, r);
			return;
		}
	}
	board->checks++;
}
