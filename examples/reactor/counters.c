/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include <sys/mman.h>

struct counters_pool *counters_map(void)
{
	void *pool = mmap(NULL, sizeof(struct counters_pool), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return pool == MAP_FAILED ? NULL : pool;
}

void counters_unmap(struct counters_pool *pool)
{
	if (pool)
		munmap(pool, sizeof(*pool));
}

/* Let readers look at one cell more. Late sight of it is harmless: they miss a first count. */
static void pool_raise_used(struct counters_pool *pool, unsigned int used)
{
	unsigned int old = __atomic_load_n(&pool->used, __ATOMIC_RELAXED);

	while (old < used && !__atomic_compare_exchange_n(&pool->used, &old, used, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* From the first cell never used on, then those given back: so that ten thousand threads do not
 * each ask all who came before. A cell taken meanwhile is only one more step. */
struct counters *counters_claim(struct counters_pool *pool)
{
	unsigned int first = __atomic_load_n(&pool->used, __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < COUNTERS_CELLS; i++) {
		unsigned int at = (first + i) % COUNTERS_CELLS;
		bool is_claimed = false;

		/* Acquire pairs with the release below: the former owner's last adds are seen. */
		if (!__atomic_compare_exchange_n(&pool->cells[at].is_claimed, &is_claimed, true,
						 false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		pool_raise_used(pool, at + 1);
		return &pool->cells[at];
	}
	return NULL;
}

void counters_release(struct counters *cell)
{
	if (cell)
		__atomic_store_n(&cell->is_claimed, false, __ATOMIC_RELEASE);
}

static void counters_merge(struct counters *sum, const struct counters *cell)
{
#define COUNTER(name, meaning) sum->name += __atomic_load_n(&cell->name, __ATOMIC_RELAXED);
#define HIGHEST(name, meaning)                                                                     \
	counter_raise_relaxed(&sum->name, __atomic_load_n(&cell->name, __ATOMIC_RELAXED));
#include "counters.def"
#undef HIGHEST
#undef COUNTER
}

void counters_print(const struct counters_pool *pool, FILE *out)
{
	unsigned int used = __atomic_load_n(&pool->used, __ATOMIC_RELAXED);
	struct counters sum = { 0 };

	for (unsigned int i = 0; i < used; i++)
		counters_merge(&sum, &pool->cells[i]);
	/* One thread accepts, another closes: seen mid-way, closes may be ahead. */
	if (sum.closes > sum.accepts)
		sum.accepts = sum.closes;
#define COUNTER(name, meaning) fprintf(out, "\"" #name "\":%lu,", sum.name);
#define HIGHEST		       COUNTER
#include "counters.def"
#undef HIGHEST
#undef COUNTER
	fprintf(out, "\"open_connections\":%lu", sum.accepts - sum.closes);
}
