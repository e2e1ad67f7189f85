/* SPDX-License-Identifier: MIT */
#include "spin.h"

#include "../shim/atomic.h"

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

static void end_stall(struct spin_state *s)
{
	s->is_stalled = 0;
	s->tries = 0;
	s->stall_ns = 0;
	s->is_released = 0;
}

static void begin_stall(struct spin_state *s, const struct write_event *e)
{
	s->stall_ns = e->now_ns;
	s->stall_thread = e->thread;
	s->stall_waits = e->waits;
	s->is_stalled = 1;
	s->tries = 0;
	s->is_episode = 0;
	s->is_released = 0;
	s->is_drained = 0;
}

/* One more stall of the run. */
static void note_stall(struct spin_state *s, const struct write_event *e, struct spin_seen *ret)
{
	s->was_fruitless = e->returned < 0;
	if (s->was_fruitless && s->tries < UINT32_MAX)
		ret->insists |= ++s->tries % SPIN_SPINNER_TRIES == 0;
	ret->tries = s->tries;
	ret->became_spinner = s->tries >= SPIN_SPINNER_TRIES && !s->is_spinner;
	s->is_spinner |= ret->became_spinner;
}

/* Full writes are counted beside the lock (observe.h), so this cell is never touched plainly. */
static void add_bytes(struct spin_state *s, uint64_t bytes)
{
	store_relaxed(&s->response_bytes, load_relaxed(&s->response_bytes) + bytes);
}

void spin_write(struct spin_state *s, const struct write_event *e, struct spin_seen *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (e->returned > 0)
		add_bytes(s, (uint64_t)e->returned);
	ret->stalled = e->is_stall;

	if (s->is_stalled && goes_on_spinning(s, e)) {
		ret->spun = s->was_fruitless;
		ret->episode = ret->spun && !s->is_episode;
		s->is_episode |= ret->episode;
		ret->insists = ret->episode;
		ret->tries = s->tries;
	} else {
		if (s->is_stalled) {
			ret->resumed = 1;
			ret->waited = s->stall_thread == e->thread && s->stall_waits != e->waits;
			ret->trip_ns = trip_cost(s, e);
		}
		if (e->is_stall)
			begin_stall(s, e);
	}
	if (e->is_stall)
		note_stall(s, e, ret);
	else
		end_stall(s);
}

void spin_went_on(struct spin_state *s, uint64_t bytes, int is_finished, uint64_t now_ns)
{
	add_bytes(s, bytes);
	if (bytes)
		s->was_fruitless = 0; /* the host sees a short count, no EAGAIN */
	if (is_finished)
		end_stall(s);
	else if (s->is_stalled)
		s->stall_ns = now_ns;
}

uint64_t spin_writable(struct spin_state *s, uint64_t now_ns)
{
	if (!s->is_stalled)
		return 0;
	s->is_released = 1;
	if (s->is_drained || now_ns <= s->stall_ns)
		return 0;
	s->is_drained = 1;
	return now_ns - s->stall_ns;
}

void spin_release(struct spin_state *s)
{
	s->is_released = s->is_stalled;
}

uint64_t spin_turn(struct spin_state *s)
{
	uint64_t bytes = load_relaxed(&s->response_bytes);

	store_relaxed(&s->response_bytes, 0);
	return bytes;
}
