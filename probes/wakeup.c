/* SPDX-License-Identifier: MIT */
#include "wakeup.h"

unsigned wakeup_wait(struct wakeup_state *s, const struct wait_event *e)
{
	unsigned seen;
	int is_short = wakeup_wants_return(e->timeout_ns, e->returned);

	seen = e->returned == 0 ? WAKEUP_EMPTY : 0;
	if (is_short && wakeup_is_idle_before(s, e->io_calls, e->enter_ns))
		seen |= WAKEUP_IDLE;
	s->return_ns = is_short ? e->return_ns : 0;
	s->io_calls = e->io_calls;
	return seen;
}

int wakeup_is_idle_before(const struct wakeup_state *s, uint64_t io_calls, uint64_t enter_ns)
{
	return s->return_ns && s->io_calls == io_calls && enter_ns >= s->return_ns &&
	       enter_ns - s->return_ns < WAKEUP_PAUSE_NS;
}
