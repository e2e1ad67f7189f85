/* SPDX-License-Identifier: MIT */
/*
 * The try-lock of a descriptor's record. Nobody ever waits for it: who does not get it only
 * counts. It survives what a lock in somebody else's process meets:
 *
 *  - fork: the word holds the epoch, so that a lock held by a thread the child does not have is
 *    void there;
 *  - a signal handler that comes here while the code it interrupted holds the lock: refused;
 *  - a handler that jumps out (siglongjmp, as timeouts do) while the code it interrupted holds
 *    it: every thread keeps a list of what it holds, each with the stack frame that took it. A
 *    frame that is not above the thread's present one has been left, and its lock is void.
 *    Without this one jump in a thousand (50 us timer) left a descriptor number uncounted for
 *    the life of the process: tests/contract/test_signals.py.
 *
 * Rule: outside signal handlers a thread holds one lock at a time (two taken in one frame could
 * not be told from one that was left).
 */
#ifndef UNSPIN_FDLOCK_H
#define UNSPIN_FDLOCK_H

#include "fdtable.h"

/* 1 when it was taken. Async-signal-safe, lock-free, keeps errno. */
int fdrec_try_lock(struct fdrec *rec);

/* By the thread that took it. */
void fdrec_unlock(struct fdrec *rec);

/* The calling thread ends, or begins a new process after fork: it holds nothing. */
void fdlock_release_all(void);

#endif
