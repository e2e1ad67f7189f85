/* SPDX-License-Identifier: MIT */
/*
 * Where in the host calls are made that lead to nothing: waits (idle polls, idle out-rounds, thin
 * waits), reads and accepts. A small table in the statistics' header, by return address; also the
 * thin waits of the calling thread, which are known for such only when a window has passed.
 *
 * A return address alone: what an interpreter's scripts share is one place. Slow paths only, but
 * for thin_note(). No lock; async-signal-safe.
 */
#ifndef UNSPIN_WASTE_H
#define UNSPIN_WASTE_H

#include "../probes/thin.h"
#include "atomic.h"
#include "stats.h"
#include "thread.h"

/* The place's row, made if needed; one that nobody reads when there is none left, or no file. */
struct waste_site *waste_at(const void *site);

#define waste_add(site, cell, n) add_relaxed(&waste_at(site)->cell, n)

/* A wait of the set was for nothing, and called from there. */
void waste_of_set(struct epoll_row *row, const void *site);

void thin_note_elsewhere(struct thread_context *context, struct epoll_row *row, const void *site);

/* A wait that brought so many events, not EPOLLOUT alone: nine instructions when they are few. */
static inline void thin_note(struct thread_context *context, struct epoll_row *row,
			     const void *site, int returned)
{
	struct thin_place *place;

	if (!thin_is_few(returned))
		return;
	place = context->thin.now;
	if (likely(place->row == row) && likely(place->site == site))
		count_add(&place->waits, 1);
	else
		thin_note_elsewhere(context, row, site);
}

/* A window has ended: counts what was thin in it. */
void thin_end(struct thread_context *context);

/* Has it? Now and then, at least every few hundred waits. */
static inline void thin_look(struct thread_context *context)
{
	if (unlikely(thin_is_over(&context->thin.from, thread_total(TOTAL_WAITS))))
		thin_end(context);
}

#endif
