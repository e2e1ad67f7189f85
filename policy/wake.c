/* SPDX-License-Identifier: MIT */
#include "wake.h"

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
	l->from_useful = l->useful;
	l->from_herds = l->herds;
	l->from_vain = l->vain;
	l->verdict = verdict;
	return verdict;
}

static uint64_t window_events(const struct wake_listener *l)
{
	return since(l->useful, l->from_useful) + since(l->herds, l->from_herds);
}

static uint32_t share(uint64_t part, uint64_t whole)
{
	return whole ? (uint32_t)(part * 1000 / whole) : 0;
}

int wake_listener_asks(const struct wake_listener *l)
{
	if (l->watchers < 2)
		return 0;
	if (l->verdict == WAKE_VERDICT_EXCLUSIVE)
		return l->is_by_vain && window_events(l) >= WAKE_PROOF;
	return l->verdict == WAKE_VERDICT_LEAVE && window_events(l) >= WAKE_LOOK;
}

uint64_t wake_watcher_vain(struct wake_watcher *w, uint64_t useful, uint64_t cpu_ns)
{
	uint64_t connections = since(useful, w->useful_then);
	uint64_t used_ns = since(cpu_ns, w->cpu_then_ns);
	int is_known = w->cpu_then_ns && w->events == w->events_then;

	w->useful_then = useful;
	w->cpu_then_ns = cpu_ns;
	w->events_then = w->events;
	return is_known && used_ns >= connections * WAKE_VAIN_NS ? connections : 0;
}

static enum wake_verdict judge(struct wake_listener *l, uint32_t permille)
{
	if (permille < WAKE_HERD_PERMILLE || permille <= l->permille / 2) {
		l->bad = 0;
	} else if (!l->bad || since(l->useful + l->herds, l->bad_at) >= WAKE_PROOF / 2) {
		l->bad++;
		l->bad_at = l->useful + l->herds;
	}
	if (l->bad >= WAKE_BAD_WINDOWS) {
		l->bad = 0;
		if (!l->again)
			l->again = WAKE_AGAIN;
		else if (l->again < WAKE_AGAIN_MAX)
			l->again *= 2;
		return decide(l, WAKE_VERDICT_WITHDRAWN);
	}
	return decide(l, WAKE_VERDICT_EXCLUSIVE);
}

enum wake_verdict wake_listener_look(struct wake_listener *l, int is_forced)
{
	uint64_t events = window_events(l), herds = since(l->herds, l->from_herds);
	uint64_t vain = since(l->vain, l->from_vain);
	uint32_t permille = share(herds, events), with_vain = share(herds + vain, events + vain);

	if (is_forced)
		return l->verdict != WAKE_VERDICT_EXCLUSIVE && l->watchers > 1
			       ? decide(l, WAKE_VERDICT_EXCLUSIVE) : (enum wake_verdict)l->verdict;
	switch ((enum wake_verdict)l->verdict) {
	case WAKE_VERDICT_LEAVE:
		if (events < WAKE_LOOK)
			break;
		if (with_vain < WAKE_HERD_PERMILLE)
			return decide(l, WAKE_VERDICT_LEAVE);
		l->is_by_vain = permille < WAKE_HERD_PERMILLE;
		l->permille = l->is_by_vain ? with_vain : permille;
		return decide(l, WAKE_VERDICT_EXCLUSIVE);
	case WAKE_VERDICT_EXCLUSIVE:
		if (events < WAKE_PROOF)
			break;
		return judge(l, l->is_by_vain ? with_vain : permille);
	case WAKE_VERDICT_WITHDRAWN:
		if (events >= l->again)
			return decide(l, WAKE_VERDICT_LEAVE);
		break;
	}
	return (enum wake_verdict)l->verdict;
}

int wake_turn_is_due(struct wake_turn *t, uint32_t open)
{
	t->taken++;
	if (t->open > open)
		t->open = open;
	return open - t->open >= WAKE_TURN || (t->taken >= WAKE_TURN && t->turns < WAKE_FIRST_TURNS);
}

void wake_turn_begin(struct wake_turn *t, uint32_t open)
{
	t->open = open;
	t->taken = 0;
	t->turns += t->turns < WAKE_FIRST_TURNS;
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
