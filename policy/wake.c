/* SPDX-License-Identifier: MIT */
#include "wake.h"

#include "../shim/atomic.h"

#include <sys/epoll.h> /* constants only */

/* What the kernel allows beside it (EPOLLEXCLUSIVE_OK_BITS in fs/eventpoll.c, Linux 4.5). */
#define ALLOWED (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET)

int wake_may_be_exclusive(uint32_t mask)
{
	return (mask & EPOLLIN) && !(mask & ~(uint32_t)ALLOWED);
}

/* Another process may have moved the window's beginning beyond what we read: then it is empty. */
static uint64_t since(uint64_t now, uint64_t from)
{
	return now > from ? now - from : 0;
}

static enum wake_verdict decide(struct wake_listener *l, enum wake_verdict verdict)
{
	store_relaxed(&l->from_useful, load_relaxed(&l->useful));
	store_relaxed(&l->from_herds, load_relaxed(&l->herds));
	store_relaxed(&l->from_vain, load_relaxed(&l->vain));
	store_relaxed(&l->verdict, (uint32_t)verdict);
	return verdict;
}

static enum wake_verdict verdict_of(const struct wake_listener *l)
{
	return (enum wake_verdict)load_relaxed(&l->verdict);
}

/* What has come since the last decision. */
struct window {
	uint64_t events, herds, vain;
};

static struct window window_of(const struct wake_listener *l)
{
	uint64_t useful = since(load_relaxed(&l->useful), load_relaxed(&l->from_useful));
	uint64_t herds = since(load_relaxed(&l->herds), load_relaxed(&l->from_herds));

	return (struct window){
		.events = useful + herds,
		.herds = herds,
		.vain = since(load_relaxed(&l->vain), load_relaxed(&l->from_vain)),
	};
}

static uint32_t share(uint64_t part, uint64_t whole)
{
	return whole ? (uint32_t)(part * 1000 / whole) : 0;
}

int wake_listener_asks(const struct wake_listener *l)
{
	uint64_t events = window_of(l).events;

	if (load_relaxed(&l->watchers) < 2)
		return 0;
	if (verdict_of(l) == WAKE_VERDICT_EXCLUSIVE)
		return load_relaxed(&l->is_by_vain) && events >= WAKE_PROOF;
	return verdict_of(l) == WAKE_VERDICT_LEAVE && events >= WAKE_LOOK;
}

uint64_t wake_watcher_vain(struct wake_watcher *w, uint64_t useful, uint64_t cpu_ns)
{
	uint64_t connections = since(useful, load_relaxed(&w->useful_then));
	uint64_t then_ns = load_relaxed(&w->cpu_then_ns), used_ns = since(cpu_ns, then_ns);
	uint32_t events = load_relaxed(&w->events);
	int is_known = then_ns && events == load_relaxed(&w->events_then);

	store_relaxed(&w->useful_then, useful);
	store_relaxed(&w->cpu_then_ns, cpu_ns);
	store_relaxed(&w->events_then, events);
	return is_known && used_ns >= connections * WAKE_VAIN_NS ? connections : 0;
}

static enum wake_verdict judge(struct wake_listener *l, uint32_t permille)
{
	uint64_t now = load_relaxed(&l->useful) + load_relaxed(&l->herds);
	uint32_t bad = load_relaxed(&l->bad), again = load_relaxed(&l->again);

	if (permille < WAKE_HERD_PERMILLE || permille <= load_relaxed(&l->permille) / 2) {
		bad = 0;
	} else if (!bad || since(now, load_relaxed(&l->bad_at)) >= WAKE_PROOF / 2) {
		bad++;
		store_relaxed(&l->bad_at, now);
	}
	store_relaxed(&l->bad, bad % WAKE_BAD_WINDOWS);
	if (bad < WAKE_BAD_WINDOWS)
		return decide(l, WAKE_VERDICT_EXCLUSIVE);
	if (again < WAKE_AGAIN_MAX)
		store_relaxed(&l->again, again ? again * 2 : WAKE_AGAIN);
	return decide(l, WAKE_VERDICT_WITHDRAWN);
}

enum wake_verdict wake_listener_look(struct wake_listener *l, int is_forced)
{
	struct window now = window_of(l);
	uint32_t permille = share(now.herds, now.events);
	uint32_t with_vain = share(now.herds + now.vain, now.events + now.vain);
	enum wake_verdict verdict = verdict_of(l);
	int is_by_vain;

	if (is_forced)
		return verdict != WAKE_VERDICT_EXCLUSIVE && load_relaxed(&l->watchers) > 1
			       ? decide(l, WAKE_VERDICT_EXCLUSIVE) : verdict;
	switch (verdict) {
	case WAKE_VERDICT_LEAVE:
		if (now.events < WAKE_LOOK)
			break;
		if (with_vain < WAKE_HERD_PERMILLE)
			return decide(l, WAKE_VERDICT_LEAVE);
		is_by_vain = permille < WAKE_HERD_PERMILLE;
		store_relaxed(&l->is_by_vain, (uint32_t)is_by_vain);
		store_relaxed(&l->permille, is_by_vain ? with_vain : permille);
		return decide(l, WAKE_VERDICT_EXCLUSIVE);
	case WAKE_VERDICT_EXCLUSIVE:
		if (now.events < WAKE_PROOF)
			break;
		return judge(l, load_relaxed(&l->is_by_vain) ? with_vain : permille);
	case WAKE_VERDICT_WITHDRAWN:
		if (now.events >= load_relaxed(&l->again))
			return decide(l, WAKE_VERDICT_LEAVE);
		break;
	}
	return verdict;
}

int wake_turn_is_due(struct wake_turn *t, uint32_t open)
{
	uint32_t taken = load_relaxed(&t->taken) + 1, least = load_relaxed(&t->open);

	if (least > open)
		least = open;
	store_relaxed(&t->taken, taken);
	store_relaxed(&t->open, least);
	return open - least >= WAKE_TURN ||
	       (taken >= WAKE_TURN && load_relaxed(&t->turns) < WAKE_FIRST_TURNS);
}

void wake_turn_begin(struct wake_turn *t, uint32_t open)
{
	uint32_t turns = load_relaxed(&t->turns);

	store_relaxed(&t->open, open);
	store_relaxed(&t->taken, 0);
	store_relaxed(&t->turns, turns + (turns < WAKE_FIRST_TURNS));
}

void wake_stretch_step(struct wake_stretch *s, enum wake_poll was, uint32_t after,
		       uint32_t weight, uint32_t asked_us, uint32_t max_us)
{
	uint32_t need = s->need ? s->need : after;

	if (was == WAKE_POLL_IDLE) {
		s->idles += weight;
		if (s->idles >= need)
			s->us = s->us ? s->us * 2 : WAKE_STRETCH_US + 2 * asked_us;
		if (s->idles >= need + WAKE_STRETCH_TRUST)
			s->need = s->idles = need > after ? need / 2 : need;
		if (s->us > max_us)
			s->us = max_us;
		return;
	}
	if (s->us && was == WAKE_POLL_WORK && need < after)
		s->need = after;
	else if (s->us && was == WAKE_POLL_WORK && need < WAKE_STRETCH_AFTER_MAX)
		s->need = need * 2;
	else if (s->us && was == WAKE_POLL_EVENTS && need > WAKE_STRETCH_LEAST)
		s->need = need / 2;
	s->idles = s->us = 0;
}

void wake_stretch_wait(struct wake_stretch *s, enum wake_poll was, uint32_t asked_us,
		       uint32_t max_us)
{
	wake_stretch_step(s, was, WAKE_STRETCH_AFTER, 1 + asked_us / WAKE_STRETCH_POLL_US, asked_us,
			  max_us);
}
