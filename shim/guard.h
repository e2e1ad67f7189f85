/* SPDX-License-Identifier: MIT */
/*
 * The bracket around everything the library does beside the host's own call: errno leaves as
 * the real call left it. There is no "inside the library" flag on purpose: longjmp or a
 * cancellation out of a handler would leave it set for ever. Inner work is re-entrant because it
 * uses raw system calls and takes try-locks only (fdlock.h says how these survive a jump).
 */
#ifndef UNSPIN_GUARD_H
#define UNSPIN_GUARD_H

#include <errno.h>

struct guard {
	int saved_errno;
};

static inline struct guard guard_enter(void)
{
	return (struct guard){ errno };
}

static inline void guard_leave(struct guard guard)
{
	errno = guard.saved_errno;
}

#define EXPORT __attribute__((visibility("default"), used))
/*
 * The half of a wrapper that counts. Apart, so that the other half needs no stack frame: where
 * there is nothing to count, the wrapper is a look-up and a jump (25 instructions).
 */
#define COUNTED static __attribute__((noinline))
#define COLD __attribute__((noinline, cold))

#endif
