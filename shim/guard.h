/* SPDX-License-Identifier: MIT */
/*
 * The bracket around everything the library does beside the host's own call: errno leaves as
 * the real call left it. A thread that may be cancelled anywhere is, within, only at cancellation
 * points, of which there are none: otherwise a record's lock stayed held for ever (tr_cancel:
 * 97 000 stalls went unexamined after one cancellation). There is no "inside the library" flag on
 * purpose: longjmp or a cancellation out of a handler would leave it set for ever. Inner work is
 * re-entrant because it uses raw system calls and takes try-locks only (fdlock.h says how these
 * survive a jump).
 */
#ifndef UNSPIN_GUARD_H
#define UNSPIN_GUARD_H

#include <errno.h>
#include <pthread.h>

struct guard {
	int saved_errno;
	int cancel_type; /* the thread's own */
};

static inline struct guard guard_enter(void)
{
	struct guard guard = { errno, PTHREAD_CANCEL_DEFERRED };

	/* No system call; GLIBC_2.2.5 and in libc itself, also where pthreads are a library. */
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &guard.cancel_type);
	return guard;
}

static inline int guard_is_cancelled_anywhere(struct guard guard)
{
	return __builtin_expect(guard.cancel_type == PTHREAD_CANCEL_ASYNCHRONOUS, 0);
}

static inline void guard_leave(struct guard guard)
{
	errno = guard.saved_errno;
	/* A cancellation that came meanwhile acts in here. */
	if (guard_is_cancelled_anywhere(guard))
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
}

#define EXPORT __attribute__((visibility("default"), used))
/*
 * The half of a wrapper that counts. Apart, so that the other half needs no stack frame: where
 * there is nothing to count, the wrapper is a look-up and a jump (25 instructions).
 */
#define COUNTED static __attribute__((noinline))
#define COLD __attribute__((noinline, cold))

#endif
