/* SPDX-License-Identifier: MIT */
/*
 * The descriptors registered in a set, for a wait on their own numbers: poll() of them for what the
 * host has registered, but for the EPOLLOUT it was just told of, is the wait it would be in without
 * that. No registration is touched, nothing is shared with other threads, nothing is to be put
 * back, and it costs one system call however many sockets say EPOLLOUT.
 *
 * It needs to know every registration of the set. What it does not know, or what another thread
 * does meanwhile, is found when the wait ends, stretch_max_us later at most; and whatever shows
 * that there may be such things ends it for this set (polled_doubt): then mask.c changes the
 * registrations, and waits for the set itself. docs/DESIGN.md, "mask".
 *
 * The set's record counts its members. They are the records that name the set; where the two
 * numbers differ (a descriptor in several sets, a set's number used again, a copy of the set's
 * number, a record begun anew) nothing is polled.
 */
#ifndef UNSPIN_POLLED_H
#define UNSPIN_POLLED_H

#include <poll.h>

#include "fdtable.h"

#define POLLED_MAX 96	   /* registrations of a set: 64 sockets with EPOLLOUT, and others */
#define POLLED_NUMBER 1024 /* descriptors are looked for below */

struct mask_wait;

struct polled {
	unsigned count;
	struct pollfd fds[POLLED_MAX];
};

/*
 * What to wait for when the host's wait has brought n events of EPOLLOUT alone. 0: the set cannot
 * be waited for so. For the thread that waits.
 */
int polled_collect(struct polled *ret_polled, const struct mask_wait *wait, int n);

/* Did the wait end for something that the set must tell as well, and not as EPOLLOUT? */
int polled_is_told(const struct polled *polled);

/* What the sockets of these events have been given to send so far: as masked_sent(). */
uint64_t polled_sent(const struct mask_wait *wait, int n);

/* Something about the set is not as we think: never again. NULL is allowed. */
void polled_doubt(struct fdrec *set);

static inline int polled_is_doubtful(const struct fdrec *set)
{
	return !set || load_relaxed(&set->is_unpolled);
}

/* The host has registered (ADD or MOD), unregistered, or is about to close the number. */
void polled_joined(int epfd, const struct fdrec *rec);
void polled_left(int epfd, struct fdrec *rec);

#endif
