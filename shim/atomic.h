/* SPDX-License-Identifier: MIT */
/*
 * Atomic access with the order in the name, so that a reader or grep sees every pairing. Safe in
 * signal handlers: all of it is lock-free on the machines we build for.
 */
#ifndef UNSPIN_ATOMIC_H
#define UNSPIN_ATOMIC_H

#include <stdint.h>

#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define add_relaxed(p, v) __atomic_add_fetch((p), (v), __ATOMIC_RELAXED) /* locked: cold paths */
#define or_relaxed(p, v) __atomic_or_fetch((p), (v), __ATOMIC_RELAXED)	 /* the same */
#define exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)

/* Orders stores before and after for a signal handler of this thread: compiler only, no code. */
#define fence_signal() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* Compare and swap; on success acquires and releases. Returns 1 when it swapped. */
#define cas_acq_rel(p, expected, desired)                                                  \
	__atomic_compare_exchange_n((p), (expected), (desired), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/*
 * Add to a cell that one thread writes and others (or another process) only read. On x86-64 it
 * is one unlocked instruction, so that a signal handler of the same thread that adds to the same
 * cell cannot be lost between our load and our store; elsewhere a relaxed load and store, where
 * that window exists. No locked instruction: 2.9 ns against 0.5 on the path of every write.
 */
static inline void count_add(uint64_t *cell, uint64_t n)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	__asm__ volatile("addq %1, %0" : "+m"(*cell) : "er"(n) : "cc");
#else
	store_relaxed(cell, load_relaxed(cell) + n);
#endif
}

/*
 * Clears memory that others read meanwhile, a word of 8 bytes after the other, which memset does
 * not promise. Both ends are multiples of 8.
 */
static inline void clear_relaxed(void *from, const void *end)
{
	typedef uint64_t __attribute__((may_alias)) any_word;

	for (any_word *word = from; (const void *)word < end; word++)
		store_relaxed(word, 0);
}

/* Tells the processor that this is a wait. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/*
 * On declarations of the library's own variables: -fvisibility=hidden is for definitions only, and
 * without this every access goes through the GOT, an instruction more.
 */
#define HIDDEN __attribute__((visibility("hidden")))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
