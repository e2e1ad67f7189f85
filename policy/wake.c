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
	l->verdict = verdict;
	return verdict;
}

enum wake_verdict wake_listener_look(struct wake_listener *l, int is_forced)
{
	uint64_t herds = since(l->herds, l->from_herds);
	uint64_t events = since(l->useful, l->from_useful) + herds;
	uint32_t permille = events ? (uint32_t)(herds * 1000 / events) : 0;

	if (is_forced)
		return l->verdict != WAKE_VERDICT_EXCLUSIVE && l->watchers > 1
			       ? decide(l, WAKE_VERDICT_EXCLUSIVE) : (enum wake_verdict)l->verdict;
	switch ((enum wake_verdict)l->verdict) {
	case WAKE_VERDICT_LEAVE:
		if (events < WAKE_LOOK)
			break;
		if (permille < WAKE_HERD_PERMILLE)
			return decide(l, WAKE_VERDICT_LEAVE);
		l->permille = permille;
		return decide(l, WAKE_VERDICT_EXCLUSIVE);
	case WAKE_VERDICT_EXCLUSIVE:
		if (events < WAKE_PROOF)
			break;
		return decide(l, permille > l->permille / 2 ? WAKE_VERDICT_WITHDRAWN
							    : WAKE_VERDICT_EXCLUSIVE);
	case WAKE_VERDICT_WITHDRAWN:
		if (events >= WAKE_AGAIN)
			return decide(l, WAKE_VERDICT_LEAVE);
		break;
	}
	return (enum wake_verdict)l->verdict;
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
