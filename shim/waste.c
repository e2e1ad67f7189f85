/* SPDX-License-Identifier: MIT */
#include "waste.h"

#include "guard.h"
#include "sys.h"

static struct waste_site sink;

static void note_thread(struct waste_site *s)
{
	const struct thread_row *row = thread_self.row;
	int32_t tid = row ? row->tid : 0;

	if (load_relaxed(&s->tid) == tid)
		return;
	if (load_relaxed(&s->tid))
		store_relaxed(&s->is_shared, 1);
	store_relaxed(&s->tid, tid);
}

COLD struct waste_site *waste_at(const void *site)
{
	struct stats_header *h = load_acquire(&stats.header);
	uint64_t address = (uint64_t)(uintptr_t)site;
	/* Neighbouring calls differ in low bits; the multiplier is 2^64 / golden ratio. */
	unsigned first = (unsigned)(address * 0x9e3779b97f4a7c15u >> 32);

	for (unsigned i = 0; h && i < STATS_WASTE_SITES; i++) {
		struct waste_site *s = &h->waste[(first + i) % STATS_WASTE_SITES];
		uint64_t expected = 0;

		if (load_relaxed(&s->address) == address ||
		    cas_acq_rel(&s->address, &expected, address) || expected == address) {
			note_thread(s);
			return s;
		}
	}
	stats_global_add(GLOBAL_WASTE_ELSEWHERE, 1);
	return &sink;
}

COLD void waste_of_set(struct epoll_row *row, const void *site)
{
	uint64_t address = (uint64_t)(uintptr_t)site, before = load_relaxed(&row->waste_site);

	if (before == address)
		return;
	store_relaxed(&row->waste_is_several, before != 0);
	store_relaxed(&row->waste_site, address);
}

/*
 * The thread waits for another set than last time, or from another place. A handler's wait that
 * comes in between may count one wait of the window to the wrong place of the two.
 */
COLD void thin_note_elsewhere(struct thread_context *context, struct epoll_row *row,
			      const void *site)
{
	struct thin_place *place = context->thin.place, *last = &place[THIN_PLACES - 1];

	while (place < last && place->row && (place->row != row || place->site != site))
		place++;
	/* The last is for all there is no room for: the thread's alone. */
	if (place < last && !place->row) {
		place->turn = load_relaxed(&row->turn);
		place->site = site;
		place->row = row;
	}
	count_add(&place->waits, 1);
	context->thin.now = place;
}

static void book(struct thread_context *context)
{
	for (unsigned i = 0; i < THIN_PLACES; i++) {
		struct thin_place *place = &context->thin.place[i];
		uint64_t waits = place->waits;

		place->waits = 0;
		if (!waits)
			continue;
		thread_add(TOTAL_THIN_WAITS, waits);
		if (!place->row) {
			stats_global_add(GLOBAL_WASTE_ELSEWHERE, waits);
			continue;
		}
		waste_add(place->site, thin_waits, waits);
		/* Or the set was closed and its row is another's. */
		if (load_relaxed(&place->row->turn) == place->turn) {
			count_add(&place->row->thin_waits, waits);
			waste_of_set(place->row, place->site);
		}
	}
}

COLD void thin_end(struct thread_context *context)
{
	static uint8_t is_refused;
	struct thin_facts from = context->thin.from, now = { .waits = thread_total(TOTAL_WAITS) };

	now.now_ns = sys_now();
	if (thin_is_busy(&from, &now) && !load_relaxed(&is_refused)) {
		long r = sys_thread_switches(&now.sleeps, &now.preemptions);

		now.has_switches = r == 0;
		if (sys_is_refusal(r))
			stats_refused(&is_refused);
	}
	/* First of all: a handler that waits meanwhile finds a window just begun. */
	context->thin.from = now;
	if (thin_is_saturated(&from, &now))
		book(context);
	for (unsigned i = 0; i < THIN_PLACES; i++)
		context->thin.place[i] = (struct thin_place){ NULL, NULL, 0, 0 };
	context->thin.now = context->thin.place;
}
