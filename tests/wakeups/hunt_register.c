/* SPDX-License-Identifier: MIT */
/* Sets and what is registered in them; and changes of registrations while they are waited for. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hunt.h"

int set_fd[SETS_MAX], bell;

static int reg_fd[REGS_MAX];
static char place[REGS_MAX][64]; /* what data that is a pointer points to */

static uint64_t data_of(unsigned r)
{
	switch (plan.reg[r].data_kind) {
	case 0:
		return (uint64_t)reg_fd[r];
	case 1:
		return (uint64_t)(uintptr_t)place[r];
	default:
		return (uint64_t)(r + 1) << 48 | (uint64_t)reg_fd[r];
	}
}

#define BELL_DATA  0xbe11be11be11be11ull
#define INNER_DATA 0x1447e50000000000ull

int reg_of(unsigned set, uint64_t data)
{
	if (data == BELL_DATA)
		return BELL;
	if ((data & ~0xffull) == INNER_DATA)
		return INNER - (int)(data & 0xff);
	for (unsigned r = 0; r < plan.regs; r++)
		if (plan.reg[r].set == set && data_of(r) == data)
			return (int)r;
	return WRONG;
}

uint32_t reg_mask(const struct reg_plan *r)
{
	static const uint32_t styles[] = { [EDGE] = EPOLLET,
					   [ONESHOT] = EPOLLONESHOT,
					   [EXCLUSIVE] = EPOLLEXCLUSIVE,
					   [LEVEL] = 0 };
	const struct channel_plan *c = &plan.channel[r->channel];
	const struct channel_state *state = &board->channel[r->channel];
	int is_owed = get(&state->owed) != get(&state->acked);

	return EPOLLIN | styles[r->style] |
	       (c->answer == LEFT || (c->answer == ARMED && is_owed) ? EPOLLOUT : 0);
}

static int ctl(unsigned r, int op, uint32_t mask)
{
	struct epoll_event event = { .events = mask, .data.u64 = data_of(r) };

	return epoll_ctl(set_fd[plan.reg[r].set], op, reg_fd[r], &event);
}

static void watch_also(int set, int fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

	MUST(epoll_ctl(set_fd[set], EPOLL_CTL_ADD, fd, &event) == 0);
}

void sets_make(int owner)
{
	if (owner < 0)
		MUST((bell = eventfd(0, 0)) >= 0);
	for (unsigned s = 0; s < plan.sets; s++) {
		if (plan.set[s].owner != owner)
			continue;
		MUST((set_fd[s] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
		watch_also((int)s, bell, BELL_DATA);
		if (plan.set[s].inside >= 0)
			watch_also(plan.set[s].inside, set_fd[s], INNER_DATA | s);
	}
	for (unsigned r = 0; r < plan.regs; r++) {
		const struct reg_plan *reg = &plan.reg[r];

		if (plan.set[reg->set].owner != owner)
			continue;
		reg_fd[r] = reg->is_dup ? dup(read_end[reg->channel]) : read_end[reg->channel];
		MUST(reg_fd[r] >= 0 && ctl(r, EPOLL_CTL_ADD, reg_mask(reg)) == 0);
	}
}

void reg_rearm(unsigned r)
{
	lock(&board->reg_lock[r]);
	MUST(ctl(r, EPOLL_CTL_MOD, reg_mask(&plan.reg[r])) == 0);
	unlock(&board->reg_lock[r]);
}

void reg_leave(unsigned r, enum leaving how)
{
	lock(&board->reg_lock[r]);
	if (how == CLOSES_SET)
		MUST(close(set_fd[plan.reg[r].set]) == 0);
	else if (how == DISARMS)
		MUST(ctl(r, EPOLL_CTL_MOD, 0) == 0);
	else
		MUST(ctl(r, EPOLL_CTL_DEL, 0) == 0);
	unlock(&board->reg_lock[r]);
}

/* Somebody leaves from this set: what left must not come back. */
static int is_left(unsigned set)
{
	for (unsigned c = 0; c < plan.consumers; c++)
		if (plan.consumer[c].set == (int)set && plan.consumer[c].leaving != STAYS)
			return 1;
	return 0;
}

/* A registration of the set changes and is afterwards what it was. The kernel looks at each ADD and
 * MOD whether there is something to tell, so natively nothing is lost. */
void reg_churn(unsigned set, uint64_t draw)
{
	unsigned r = chance_below(draw, plan.regs);
	uint32_t mask;

	if (plan.reg[r].set != set || is_left(set))
		return;
	lock(&board->reg_lock[r]);
	mask = reg_mask(&plan.reg[r]);
	if (plan.reg[r].style == EXCLUSIVE) {
		errno = 0;
		if (ctl(r, EPOLL_CTL_MOD, EPOLLIN) == 0 || errno != EINVAL)
			complain("mod", "MOD of the host's own EPOLLEXCLUSIVE gave %d", errno);
	} else if (draw & 1) {
		MUST(ctl(r, EPOLL_CTL_MOD, draw & 2 ? 0 : mask) == 0);
	}
	if (plan.reg[r].style == EXCLUSIVE || !(draw & 1)) {
		MUST(ctl(r, EPOLL_CTL_DEL, 0) == 0);
		MUST(ctl(r, EPOLL_CTL_ADD, mask) == 0);
	} else {
		MUST(ctl(r, EPOLL_CTL_MOD, mask) == 0);
	}
	unlock(&board->reg_lock[r]);
}
