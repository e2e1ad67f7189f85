/* SPDX-License-Identifier: MIT */
/* Descriptors that end, or may have ended. */
#include "socket.h"

#include "exclusive.h"
#include "fdlock.h"
#include "guard.h"
#include "mask.h"
#include "polled.h"
#include "retry.h"
#include "sys.h"

/* In a vfork child our memory is the parent's, whose descriptors stay open. */
static int is_foreign_process(void)
{
	const struct stats_header *h = load_acquire(&stats.header);

	return h && sys_getpid() != h->pid;
}

static void forget(struct fdrec *rec)
{
	if (fdrec_try_lock(rec)) {
		socket_give_up(rec);
		fdrec_unlock(rec);
	}
}

/* After retry_closing(): from then on nothing of the number is masked. */
static void close_masked(int fd)
{
	if (unlikely(__atomic_load_n(&mask_in_force, __ATOMIC_SEQ_CST)))
		mask_closing(fd);
}

struct fdrec *socket_closing(int fd)
{
	struct fdrec *rec = fdtable_find(fd);
	struct guard g;

	if (!rec)
		return NULL;
	if (fdrec_kind(rec) == FD_UNKNOWN) {
		/* Nothing to forget; but another thread may find out right now what it is. (A vfork
		 * child comes here too: its parent's retry on the same number ends, which is legal.) */
		retry_closing(rec);
		close_masked(fd);
		if (load_relaxed(&rec->epoll_fd) >= 0 && !is_foreign_process())
			polled_left(load_relaxed(&rec->epoll_fd), rec);
		return rec;
	}
	g = guard_enter();
	if (is_foreign_process()) {
		rec = NULL;
	} else {
		enum fd_kind kind = fdrec_kind(rec);

		if (exclusive_is_on && (kind == FD_LISTENER || kind == FD_EPOLL))
			exclusive_closing(fd, kind);
		exclusive_let_go(rec);
		retry_closing(rec);
		close_masked(fd);
		polled_left(load_relaxed(&rec->epoll_fd), rec);
		forget(rec);
	}
	guard_leave(g);
	return rec;
}

void socket_closed(struct fdrec *rec)
{
	if (rec)
		retry_closed(rec);
}

void socket_renewed(int fd)
{
	struct fdrec *rec = fdtable_find(fd);
	struct guard g;

	if (!rec || fdrec_kind(rec) == FD_UNKNOWN)
		return;
	g = guard_enter();
	if (!is_foreign_process())
		forget(rec);
	guard_leave(g);
}

int socket_closing_range(unsigned first, unsigned last)
{
	unsigned end = (unsigned)fdtable_end();
	struct guard g = guard_enter();
	int is_ours = !is_foreign_process();

	if (is_ours)
		retry_range_closing();
	for (unsigned fd = first; is_ours && fd < end && fd <= last; fd++)
		socket_closed(socket_closing((int)fd));
	guard_leave(g);
	return is_ours;
}

void socket_closed_range(int token)
{
	if (token)
		retry_range_closed();
}

void socket_doubt(int fd)
{
	struct fdrec *rec = fdtable_find(fd);
	enum fd_kind kind = rec ? fdrec_kind(rec) : FD_UNKNOWN;
	struct guard g;

	if ((kind != FD_QUIET && kind != FD_STALLED) || !fdrec_is_current(rec))
		return;
	g = guard_enter();
	if (fdrec_try_lock(rec)) {
		if (!rec->cookie) {
			rec->socket->cookie = sys_cookie(fd);
			store_relaxed(&rec->cookie, rec->socket->cookie);
		}
		spin_release(&rec->spin);
		rec->socket->closed_ns = sys_now(); /* readers say "closing" */
		fdrec_set_kind(rec, FD_DOUBT);
		fdrec_unlock(rec);
	}
	guard_leave(g);
}
