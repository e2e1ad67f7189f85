/* SPDX-License-Identifier: MIT */
/* Functions the compiler leaves as they are written, for tests that look at return addresses. */
#ifndef UNSPIN_TESTS_PLAIN_H
#define UNSPIN_TESTS_PLAIN_H

/* Neither inlined nor cloned: one function, one address. clang has no word for the latter. */
#ifdef __clang__
#define PLAIN __attribute__((noinline))
#else
#define PLAIN __attribute__((noinline, noclone))
#endif

/* After a call: something is left to do, so it is no tail call and the frame is there. */
#define STAY __asm__ volatile("" ::: "memory")

#endif
