/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include "ahead.h"
#include "fdlock.h"
#include "stats.h"
#include "sys.h"

#define LOCK_TRIES 100

static struct kept {
	uint64_t cookie; /* 0: free. The last to be written, and the word to be taken by */
	int error;
} kept[KEPT_COUNT];
static uint32_t kept_next;

/* The lock is held for microseconds, by a thread that looks at the same socket. */
static int lock(struct fdrec *rec)
{
	for (int i = 0; !fdrec_try_lock(rec); i++) {
		if (i == LOCK_TRIES)
			return 0;
		sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	return 1;
}

static int is_stream(const struct fdrec *rec)
{
	enum fd_kind kind = fdrec_kind(rec);

	return fdrec_is_current(rec) && (kind == FD_QUIET || kind == FD_STALLED || kind == FD_DOUBT);
}

/* Accepted sockets are not asked for their cookie before they stall. */
static int is_of(int fd, const struct fdrec *rec, uint64_t cookie)
{
	uint64_t known = load_relaxed(&rec->cookie);

	return is_stream(rec) && (known ? known : sys_cookie(fd)) == cookie;
}

static void mark(int fd, struct fdrec *rec, uint64_t cookie)
{
	if (!lock(rec))
		return;
	if (is_of(fd, rec, cookie)) {
		store_relaxed(&rec->owes_error, 1);
		store_relaxed(&rec->room_bytes, 0);
		if (fdrec_kind(rec) == FD_QUIET)
			fdrec_set_kind(rec, FD_STALLED);
	}
	fdrec_unlock(rec);
}

void kept_put(uint64_t cookie, int error)
{
	struct kept *k = &kept[__atomic_fetch_add(&kept_next, 1, __ATOMIC_RELAXED) % KEPT_COUNT];
	int end = fdtable_end();

	store_relaxed(&k->cookie, 0);
	store_relaxed(&k->error, error);
	store_release(&k->cookie, cookie);
	for (int fd = 0; fd < end; fd++) {
		struct fdrec *rec = fdtable_find(fd);

		if (rec && is_of(fd, rec, cookie))
			mark(fd, rec, cookie);
	}
}

static struct kept *find(uint64_t cookie)
{
	if (!cookie || !load_relaxed(&kept_next))
		return NULL;
	for (struct kept *k = kept; k < kept + KEPT_COUNT; k++)
		if (load_acquire(&k->cookie) == cookie)
			return k;
	return NULL;
}

int kept_has(uint64_t cookie)
{
	return find(cookie) != NULL;
}

/* Only to the socket it belongs to: the number may have another one by now. */
static int take(uint64_t cookie)
{
	struct kept *k = find(cookie);
	int error;

	if (!k)
		return 0;
	error = load_relaxed(&k->error);
	return cas_acq_rel(&k->cookie, &cookie, 0) ? error : 0;
}

int kept_take(int fd, struct fdrec *rec)
{
	int error;

	if (!load_relaxed(&rec->owes_error) || !lock(rec))
		return 0;
	error = take(sys_cookie(fd));
	store_relaxed(&rec->owes_error, 0);
	store_relaxed(&rec->room_bytes, AHEAD_FRESH_ROOM);
	fdrec_set_kind(rec, spin_is_stalled(&rec->spin) ? FD_STALLED : FD_QUIET);
	fdrec_unlock(rec);
	if (error)
		stats_global_add(GLOBAL_REPLAYED_ERRORS, 1);
	return error;
}
