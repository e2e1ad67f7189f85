/* SPDX-License-Identifier: MIT */
/* epoll sets: their rows, and what is registered in them. */
#include "socket.h"

#include "epoll_map.h"
#include "fdlock.h"
#include "guard.h"
#include "masked.h"

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
	rec->epoll = stats_claim_epoll(epfd);
	fdrec_unlock(rec);
}

void epoll_registered(int epfd, int op, int fd, const struct epoll_event *event)
{
	struct fdrec *rec = fdtable_get(fd);
	struct guard g = guard_enter();

	if (!rec)
		goto out;
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
		if (load_relaxed(&rec->epoll_fd) == epfd)
			store_relaxed(&rec->epoll_fd, -1);
		socket_doubt(fd);
		goto out;
	}
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
