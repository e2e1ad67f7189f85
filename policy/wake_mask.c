/* SPDX-License-Identifier: MIT */
#include "wake_mask.h"

#include <sys/epoll.h> /* constants only */

#define ALLOWED (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP)

int wake_may_be_masked(uint32_t mask)
{
	return (mask & EPOLLOUT) && !(mask & ~(uint32_t)ALLOWED);
}

int wake_may_be_polled(uint32_t mask)
{
	return !(mask & ~(uint32_t)ALLOWED);
}

void wake_mask_wait(struct wake_mask *m, enum wake_poll was, uint32_t events, uint32_t max_us)
{
	uint32_t had_us = m->hold.us;

	wake_stretch_step(&m->hold, was, WAKE_MASK_AFTER, 1 + events / WAKE_MASK_EVENTS, 0, max_us);
	if (was == WAKE_POLL_EVENTS && had_us)
		m->from_us = had_us;
	if (was == WAKE_POLL_WORK)
		m->from_us = 0;
	if (!had_us && m->hold.us && m->hold.us < m->from_us)
		m->hold.us = m->from_us < max_us ? m->from_us : max_us;
}

void wake_mask_break(struct wake_mask *m)
{
	m->hold.idles = m->hold.us = 0;
}

int wake_mask_paid(struct wake_mask *m, uint64_t cost_ns, uint64_t held_ns, int is_forced)
{
	int is_too_much;

	m->cost_ns += cost_ns;
	m->held_ns += held_ns;
	if (++m->waits < WAKE_MASK_WINDOW)
		return 0;
	is_too_much = !is_forced && m->cost_ns > m->held_ns / WAKE_MASK_SHARE;
	m->waits = 0;
	m->cost_ns = m->held_ns = 0;
	if (!is_too_much)
		return 0;
	m->hold.need = WAKE_STRETCH_AFTER_MAX;
	m->from_us = 0;
	wake_mask_break(m);
	return 1;
}
