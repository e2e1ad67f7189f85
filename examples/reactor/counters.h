/* SPDX-License-Identifier: MIT */
/*
 * The server's own count of what it did, to hold against what the shim says it saw.
 *
 * Model: a pool of cells; every thread claims one and is its only writer, so counting is a plain
 * add. The pool is shared memory: processes forked later count into it too. A released cell keeps
 * its numbers and the next owner adds to them, so a sum over all cells never goes back:
 *
 *	open connections = sum(accepts) - sum(closes), stalls <= writes, responses <= requests
 */
#ifndef REACTOR_COUNTERS_H
#define REACTOR_COUNTERS_H

#include <stdbool.h>
#include <stdio.h>

#define COUNTERS_CELLS 4096 /* threads at once */

/* One thread's numbers; own cache lines, or the neighbours would slow each other down. */
struct counters {
#define COUNTER(name, meaning) unsigned long name;
#include "counters.def"
#undef COUNTER
	bool is_claimed;
} __attribute__((aligned(64)));

/* The cells from used on were never claimed: nobody touches them, so they cost no memory. */
struct counters_pool {
	unsigned int used;
	struct counters cells[COUNTERS_CELLS];
};

/* Only the owner of the cell writes, so load and store need not be one atomic step; relaxed,
 * because each counter stands alone and a reader wants whole numbers, not an order. */
static inline void counter_add_relaxed(unsigned long *counter, unsigned long n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* A pool without a count in it; NULL with errno set. Free with counters_unmap (NULL is fine). */
struct counters_pool *counters_map(void);
void counters_unmap(struct counters_pool *pool);

/* A cell for the calling thread, NULL where all are taken. Any thread; give it back at its end. */
struct counters *counters_claim(struct counters_pool *pool);
void counters_release(struct counters *cell);

/* Print the sums as JSON members ("a":1,"b":2, no braces). Any thread, any time. */
void counters_print(const struct counters_pool *pool, FILE *out);

#endif
