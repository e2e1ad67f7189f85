/* SPDX-License-Identifier: MIT */
#include "spin.h"

#include <string.h>

static int goes_on_spinning(const struct spin_state *s, const struct write_event *e)
{
	return s->stall_thread == e->thread && s->stall_waits == e->waits && !s->is_released &&
	       !e->has_slept;
}

/* Stall to wait, plus wait's return to this write; the time asleep in the wait is not a cost. */
static uint64_t trip_cost(const struct spin_state *s, const struct write_event *e)
{
	if (s->stall_thread != e->thread || e->wait_enter_ns < s->stall_ns ||
	    e->wait_return_ns < e->wait_enter_ns || e->now_ns < e->wait_return_ns)
		return 0;
	return (e->wait_enter_ns - s->stall_ns) + (e->now_ns - e->wait_return_ns);
}

static void begin_stall(struct spin_state *s, const struct write_event *e)
{
	s->stall_ns = e->now_ns;
	s->stall_thread = e->thread;
	s->stall_waits = e->waits;
	s->tries = 1;
	s->is_released = 0;
	s->is_drained = 0;
	s->got_nothing = e->returned <= 0;
	s->has_insisted = 0;
}

static void end_stall(struct spin_state *s)
{
	s->tries = 0;
	s->stall_ns = 0;
	s->is_released = 0;
}

void spin_write(struct spin_state *s, const struct write_event *e, struct spin_seen *ret)
{
	int was_stalled = s->tries > 0;

	memset(ret, 0, sizeof(*ret));
	if (e->returned > 0)
		s->response_bytes += (uint64_t)e->returned;
	ret->stalled = e->is_stall;

	if (was_stalled && goes_on_spinning(s, e)) {
		ret->spun = 1;
		ret->episode = s->tries == 1;
		ret->tries = s->tries;
		ret->insisted = s->got_nothing && !s->has_insisted;
		s->has_insisted |= ret->insisted;
		s->got_nothing = e->returned <= 0;
		if (!e->is_stall) {
			end_stall(s);
			return;
		}
		s->tries += s->tries < UINT32_MAX; /* stays at the top, never wraps to "flowing" */
		ret->tries = s->tries;
		ret->became_spinner = s->tries >= SPIN_SPINNER_TRIES && !s->is_spinner;
		s->is_spinner |= ret->became_spinner;
		return;
	}
	if (was_stalled) {
		ret->resumed = 1;
		ret->waited = s->stall_thread == e->thread && s->stall_waits != e->waits;
		ret->trip_ns = trip_cost(s, e);
		end_stall(s);
	}
	if (e->is_stall) {
		begin_stall(s, e);
		ret->tries = 1;
	}
}

void spin_went_on(struct spin_state *s, uint64_t bytes, int is_finished, uint64_t now_ns)
{
	s->response_bytes += bytes;
	if (is_finished)
		end_stall(s);
	else if (s->tries)
		s->stall_ns = now_ns;
	if (bytes)
		s->got_nothing = 0;
}

uint64_t spin_writable(struct spin_state *s, uint64_t now_ns)
{
	if (!s->tries)
		return 0;
	s->is_released = 1;
	if (s->is_drained || now_ns <= s->stall_ns)
		return 0;
	s->is_drained = 1;
	return now_ns - s->stall_ns;
}

void spin_release(struct spin_state *s)
{
	s->is_released = s->tries > 0;
}

uint64_t spin_turn(struct spin_state *s)
{
	uint64_t bytes = s->response_bytes;

	s->response_bytes = 0;
	return bytes;
}
