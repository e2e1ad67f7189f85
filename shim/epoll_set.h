/* SPDX-License-Identifier: MIT */
/*
 * Epoll sets as the wake-up policies see them: is all that is in a set known to us?
 *
 * Registrations may be made out of our sight: by io_uring (IORING_OP_EPOLL_CTL), by raw system
 * calls, by another process that shares the set over fork. Their events show it. A set that was
 * found to hold one is *foreign* for as long as its number stands for it, and left alone.
 */
#ifndef UNSPIN_EPOLL_SET_H
#define UNSPIN_EPOLL_SET_H

#include "fdtable.h"

/*
 * Not to be treated: a registration in it was not seen, or the set itself was not (made before our
 * constructor, inherited over exec, another number of it by dup). Two loads; async-signal-safe.
 */
static inline int epoll_set_is_foreign(int epfd)
{
	const struct fdrec *set = fdtable_find(epfd);

	return !set || fdrec_kind(set) != FD_EPOLL || load_relaxed(&set->is_foreign);
}

/* An event came whose descriptor we cannot tell: counts it, and finds out what that means. The
 * statistics have begun; keeps errno. */
void epoll_set_unknown(int epfd, uint64_t data);

#endif
