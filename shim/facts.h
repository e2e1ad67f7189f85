/* SPDX-License-Identifier: MIT */
/*
 * Asks the kernel what the policy must know of a socket whose write stalled or is about to.
 * The record's lock is held; errno is not touched.
 */
#ifndef UNSPIN_FACTS_H
#define UNSPIN_FACTS_H

#include "../policy/policy.h"
#include "fdtable.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.15 */
#endif
#define FACTS_SND_LOCK 1 /* SOCK_SNDBUF_LOCK in the kernel's socket.h */

/* What the record knows: no question. */
void facts_kind(const struct fdrec *rec, struct policy_facts *facts);

/* The buffer's size and how much of it is in use, after facts_kind(). 0 or -errno. */
int facts_room(int fd, struct policy_facts *facts);

/* The reader's window and how far away it is. */
void facts_window(int fd, struct policy_facts *facts);

/*
 * Did the host choose the size? ret_lock_bits: SO_BUF_LOCK, or -errno. may_set: the first time
 * what was read is set again, to learn whether that is allowed.
 */
void facts_fixed(int fd, const struct fdrec *rec, struct policy_facts *facts, int may_set,
		 int *ret_lock_bits);

/* All of it and the stall's cause. 0, or -errno of the question that was refused. */
int facts_of_stall(int fd, struct fdrec *rec, struct policy_facts *facts, int may_set,
		   int *ret_lock_bits);

#endif
