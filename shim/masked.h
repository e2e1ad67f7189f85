/* SPDX-License-Identifier: MIT */
/*
 * The registrations out of which EPOLLOUT is taken right now, by threads that are inside a wait
 * (mask.h): a small table of the process. Each entry is the host's registration as it must be
 * again.
 *
 * It changes under the lock of watch.h only (signals blocked, held across a few epoll_ctl calls).
 * Whoever of the host's threads is about to change or to need a registration looks here first and
 * puts it back; the thread that waits then finds its entry gone and leaves the registration alone.
 * Neither can miss the other, by order: the masker makes the entry, adds to mask_in_force, then
 * looks whether an epoll_ctl or a close of the descriptor is under way or the socket has stalled;
 * the host's call says that it is under way, or stalled, then looks at mask_in_force (both
 * sequentially consistent).
 */
#ifndef UNSPIN_MASKED_H
#define UNSPIN_MASKED_H

#include "fdtable.h"

extern HIDDEN uint32_t mask_in_force; /* entries of all threads */
extern HIDDEN uint32_t mask_forks; /* forks of this process so far; a set knows its own (fdrec) */

/* Stalls through numbers whose own registration would not have told of room; mask.h. */
extern HIDDEN uint32_t mask_stalls_elsewhere;

/* Which entries: those for which one of the fields is right. */
struct masked_which {
	int fd, epfd;	 /* -1: whatever they are */
	uint32_t thread; /* id of the waiting thread; 0 */
	uint8_t is_all;
	uint64_t cookie; /* of the socket; 0 */
};

/* Puts the registrations back; returns how many. Async-signal-safe, keeps errno. */
uint32_t masked_restore(struct masked_which which);

/*
 * Takes EPOLLOUT out of the registration of the calling thread's set that has this data. 0, or
 * -errno, -EAGAIN where it must not be done. The lock is held.
 */
int masked_add(int epfd, uint64_t data);

/* The record of the socket that the set's event with this data is about, if it may be treated: a TCP
 * socket we know, that has room, by a registration as we saw it. Or NULL. */
struct fdrec *masked_find(int epfd, uint64_t data);

/*
 * What the masked sockets of the thread have been given to send so far, in one number that is the
 * same only if it is the same for each. 0: it cannot be told. TCP, Linux 4.19.
 */
uint64_t masked_sent(uint32_t thread);

/* One socket of such a number; key: something of its own. 0: it cannot be told. */
int masked_sent_add(int fd, uint64_t key, uint64_t *sum);

/* Before a fork: no set made so far is treated again. In the child: nothing is in force. */
void masked_forking(void);
void masked_begin_child(void);

#endif
