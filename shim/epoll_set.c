/* SPDX-License-Identifier: MIT */
/* epoll sets: their rows, and what is registered in them. */
#include "epoll_set.h"

#include "epoll_map.h"
#include "fdlock.h"
#include "guard.h"
#include "masked.h"
#include "polled.h"
#include "socket.h"
#include "sys.h"
#include "thread.h"

/*
 * An event may overtake the note of its registration: another thread's epoll_ctl has returned from
 * the kernel, and the thread was not run since. So nothing is believed at the first look; what is
 * still not noted after this time was not registered through us. A thread stopped for longer costs
 * its set the policies, nothing else.
 */
#define SUSPECT_NS 100000000

void epoll_created(int epfd)
{
	struct guard g = guard_enter();
	struct fdrec *rec = unspin_is_on ? fdtable_get(epfd) : NULL;

	/* Begins the region too: a master that inherits its listeners over exec (nginx's upgrade)
	 * makes no socket itself, and its workers have no rights to make a file later. */
	if (rec && stats_begin() && fdrec_try_lock(rec)) {
		socket_start(epfd, rec, FD_EPOLL, SOCKET_KIND_UNKNOWN);
		store_relaxed(&rec->forks, load_relaxed(&mask_forks));
		fdrec_unlock(rec);
	}
	guard_leave(g);
}

COLD void epoll_take_row(int epfd, struct fdrec *rec)
{
	if (!fdrec_try_lock(rec))
		return;
	rec->has_row = 1; /* or the sink for good: rows are not asked for at every wait */
	store_relaxed(&rec->epoll, stats_claim_epoll(epfd));
	fdrec_unlock(rec);
}

void epoll_registered(int epfd, int op, int fd, const struct epoll_event *event)
{
	struct fdrec *rec = fdtable_get(fd);
	struct guard g = guard_enter();

	if (!rec) {
		polled_doubt(fdtable_find(epfd));
		goto out;
	}
	if (stats_has_begun()) {
		struct epoll_row *row = epoll_row_of(epfd);

		count_add(op == EPOLL_CTL_ADD   ? &row->adds
			  : op == EPOLL_CTL_MOD ? &row->mods
						: &row->dels,
			  1);
	}
	/* The host has dealt with the socket's last event: it was not for nothing. */
	store_relaxed(&rec->pending, 0);
	if (op == EPOLL_CTL_DEL) {
		polled_left(epfd, rec);
		socket_doubt(fd);
		goto out;
	}
	polled_joined(epfd, rec);
	epoll_map_note(epfd, fd, event->data.u64);
	store_relaxed(&rec->epoll_mask, event->events);
	/* A registered number that was a file before may be a socket by now. */
	if (op == EPOLL_CTL_ADD && fdrec_kind(rec) == FD_NOT_SOCKET)
		store_relaxed(&rec->tag, FD_UNKNOWN);
	/* Registered for writing after a stall: the thread means to wait, not to spin. */
	if (fdrec_kind(rec) == FD_STALLED && fdrec_try_lock(rec)) {
		spin_release(&rec->spin);
		fdrec_unlock(rec);
	}
out:
	guard_leave(g);
}

COLD void epoll_set_unknown(int epfd, uint64_t data)
{
	struct fdrec *set = fdtable_find(epfd);
	uint64_t now;

	thread_add(TOTAL_UNKNOWN_EVENTS, 1);
	count_add(&epoll_row_of(epfd)->unknown_events, 1);
	polled_doubt(set);
	if (!set || fdrec_kind(set) != FD_EPOLL || load_relaxed(&set->is_foreign) ||
	    epoll_map_has_seen(epfd, data) || !fdrec_try_lock(set))
		return;
	now = sys_now();
	/* The last suspect was only early. */
	if (set->suspect_ns && epoll_map_has_seen(epfd, set->suspect))
		set->suspect_ns = 0;
	if (!set->suspect_ns) {
		set->suspect = data;
		set->suspect_ns = now;
	} else if (now - set->suspect_ns >= SUSPECT_NS) {
		store_relaxed(&set->is_foreign, 1);
		store_relaxed(&set->epoll->is_foreign, 1);
		stats_decision(&stats_socket_sink, epfd, STRATEGY_NONE, REASON_NOT_SEEN, 0, 0);
	}
	fdrec_unlock(set);
}
