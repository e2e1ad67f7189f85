/* SPDX-License-Identifier: MIT */
/* One consumer: waits as planned, takes what it was told of, until all is over. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "hunt.h"

#define ROOM_MAX 8

struct consumer {
	unsigned number;
	const struct consumer_plan *plan;
	struct consumer_state *state;
	uint64_t cursor;
	int has_ended; /* its set is closed */
};

static const struct timespec *patience_of(const struct consumer_plan *p)
{
	static const struct timespec times[] = { [LOOK] = { 0, 0 }, [ONE_MS] = { 0, 1000000 } };

	return p->patience == FOR_EVER ? NULL : &times[p->patience];
}

static int patience_ms(const struct consumer_plan *p)
{
	return p->patience == FOR_EVER ? -1 : p->patience == ONE_MS;
}

/* SIGUSR1 may come in; the tokens' signal may not, nor that of children (host_main). */
static const sigset_t *wait_mask(void)
{
	static __thread sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN);
	sigaddset(&mask, SIGCHLD);
	return &mask;
}

static int wait_for_set(const struct consumer *c, struct epoll_event *events)
{
	const struct consumer_plan *p = c->plan;
	int fd = set_fd[p->set], r;
	struct pollfd set = { .fd = fd, .events = POLLIN };

	switch (p->wait) {
	case EPOLL_PWAIT:
		return epoll_pwait(fd, events, p->room, patience_ms(p), wait_mask());
	case EPOLL_PWAIT2:
		return epoll_pwait2(fd, events, p->room, patience_of(p), wait_mask());
	case POLL_SET:
		r = poll(&set, 1, patience_ms(p));
		return r <= 0 ? r : epoll_wait(fd, events, p->room, 0);
	default:
		return epoll_wait(fd, events, p->room, patience_ms(p));
	}
}

static int wait_select(const struct consumer_plan *p, struct pollfd *fds, unsigned n)
{
	struct timeval left = { .tv_usec = p->patience == ONE_MS ? 1000 : 0 };
	int end = 0, r;
	fd_set in;

	FD_ZERO(&in);
	for (unsigned i = 0; i < n; i++) {
		FD_SET(fds[i].fd, &in);
		end = fds[i].fd >= end ? fds[i].fd + 1 : end;
	}
	r = select(end, &in, NULL, NULL, p->patience == FOR_EVER ? NULL : &left);
	for (unsigned i = 0; i < n; i++)
		fds[i].revents = r > 0 && FD_ISSET(fds[i].fd, &in) ? POLLIN : 0;
	return r;
}

static int wait_for_polled(const struct consumer_plan *p, struct pollfd *fds, unsigned n)
{
	switch (p->wait) {
	case PPOLL:
		return ppoll(fds, n, patience_of(p), wait_mask());
	case SELECT:
		return wait_select(p, fds, n);
	default:
		return poll(fds, n, patience_ms(p));
	}
}

/* A set says ready and another thread is faster: nothing, natively too. */
static int may_come_back_empty(const struct consumer_plan *p)
{
	return p->patience != FOR_EVER || p->wait == POLL_SET;
}

static void check_wait(const struct consumer *c, int r, int error, uint64_t began_ns)
{
	const struct consumer_plan *p = c->plan;
	int room = p->set >= 0 ? p->room : CHANNELS_MAX + 1;

	if (r < 0 && !(error == EINTR && plan.has_signals && !p->is_process))
		complain("errno-wait", "consumer %u: errno %d", c->number, error);
	if (r > room)
		complain("room", "consumer %u: %d events in a room of %d", c->number, r, room);
	if (r == 0 && !may_come_back_empty(p))
		complain("wait-early", "consumer %u waits for ever and got none", c->number);
	if (r == 0 && p->patience == ONE_MS && p->wait != POLL_SET && p->wait != SELECT &&
	    now_ns() - began_ns < 990000)
		complain("wait-early", "consumer %u: %d us of a millisecond", c->number,
			 (int)((now_ns() - began_ns) / 1000));
}

static void be_slow(struct consumer *c)
{
	uint64_t draw = chance_next(&c->cursor);

	if (c->plan->is_slow)
		pause_us(draw % 16 ? chance_below(draw, 3000) : 15000);
}

static void take(struct consumer *c, unsigned channel, const struct reg_plan *reg)
{
	/* An edge comes once for all that is there. */
	int is_all = (reg && reg->style == EDGE) || chance_next(&c->cursor) & 1;
	unsigned n;

	be_slow(c);
	n = channel_consume(channel, is_all);
	c->state->events++;
	if (!n && plan.channel[channel].is_single && reg && reg->style == LEVEL)
		complain("false-event", "consumer %u, channel %s: nothing there", c->number,
			 plan_channel(channel));
}

static void handle_reg(struct consumer *c, unsigned r, uint32_t got)
{
	const struct reg_plan *reg = &plan.reg[r];
	enum answer answer = plan.channel[reg->channel].answer;
	enum leaving leaving = STAYS;

	if (plan.channel[reg->channel].kind == LISTENER && reg->set == c->plan->set)
		leaving = c->plan->leaving;

	if ((got & ~(uint32_t)(EPOLLIN | EPOLLOUT)) || (got & EPOLLOUT && answer == NONE))
		complain("mask", "consumer %u, channel %s: %#x", c->number,
			 plan_channel(reg->channel), got);
	if (leaving != STAYS && c->state->has_left)
		complain("left", "consumer %u: an event of what it left", c->number);
	if (leaving != STAYS) {
		reg_leave(r, leaving);
		c->state->has_left = leaving == CLOSES_SET || c->state->has_left;
		c->has_ended = leaving == CLOSES_SET;
		return;
	}
	if (got & EPOLLIN)
		take(c, reg->channel, reg);
	if (got & EPOLLOUT)
		channel_answer(reg->channel);
	if (reg->style == ONESHOT || answer == ARMED)
		reg_rearm(r);
}

static void handle(struct consumer *c, unsigned set, const struct epoll_event *event)
{
	struct epoll_event events[ROOM_MAX];
	int r = reg_of(set, event->data.u64), n;

	if (r >= 0) {
		handle_reg(c, (unsigned)r, event->events);
	} else if (r == WRONG || (r == BELL && !get(&board->is_over))) {
		complain("data", "consumer %u: set %u has no ready %#llx", c->number, set,
			 (unsigned long long)event->data.u64);
	} else if (r <= INNER) {
		set = (unsigned)(INNER - r);
		n = epoll_wait(set_fd[set], events, c->plan->room, 0);
		for (int i = 0; i < n; i++)
			handle(c, set, &events[i]);
	}
}

static void turn_of_set(struct consumer *c)
{
	struct epoll_event events[ROOM_MAX];
	uint64_t began_ns = now_ns();
	int n;

	/* What the kernel does not write must not look like an event. */
	memset(events, 0xee, sizeof(events));
	n = wait_for_set(c, events);
	put(&c->state->is_waiting, 0);
	check_wait(c, n, errno, began_ns);
	for (int i = 0; i < n && !c->has_ended; i++)
		handle(c, (unsigned)c->plan->set, &events[i]);
	if (c->plan->is_churning && chance_next(&c->cursor) % 8 == 0)
		reg_churn((unsigned)c->plan->set, chance_next(&c->cursor));
}

static void turn_of_polled(struct consumer *c)
{
	uint64_t began_ns = now_ns();
	struct pollfd fds[CHANNELS_MAX + 1];
	unsigned channel[CHANNELS_MAX + 1], n = 0;
	int r;

	for (unsigned i = 0; i < plan.channels; i++) {
		if (!(c->plan->polled >> i & 1))
			continue;
		channel[n] = i;
		fds[n++] = (struct pollfd){ .fd = read_end[i], .events = POLLIN };
	}
	fds[n] = (struct pollfd){ .fd = bell, .events = POLLIN };
	r = wait_for_polled(c->plan, fds, n + 1);
	put(&c->state->is_waiting, 0);
	check_wait(c, r, errno, began_ns);
	for (unsigned i = 0; r > 0 && i < n; i++)
		if (fds[i].revents & POLLIN)
			take(c, channel[i], NULL);
}

void consume(unsigned number)
{
	struct consumer c = { .number = number,
			      .plan = &plan.consumer[number],
			      .state = &board->consumer[number],
			      .cursor = chance(plan.seed, 1000 + number) };

	while (!get(&board->is_over) && !c.has_ended) {
		add(&c.state->waits, 1);
		put(&c.state->is_waiting, 1);
		if (c.plan->set >= 0)
			turn_of_set(&c);
		else
			turn_of_polled(&c);
	}
	put(&c.state->has_ended, 1);
}
