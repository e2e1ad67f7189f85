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

struct counters *counters_claim(struct counters_pool *pool)
{
	for (unsigned int i = 0; i < COUNTERS_CELLS; i++) {
		bool is_claimed = false;

		/* Acquire pairs with the release below: the former owner's last adds are seen. */
		if (!__atomic_compare_exchange_n(&pool->cells[i].is_claimed, &is_claimed, true,
						 false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		pool_raise_used(pool, i + 1);
		return &pool->cells[i];
	}
	return NULL;
}

void counters_release(struct counters *cell)
{
	if (cell)
		__atomic_store_n(&cell->is_claimed, false, __ATOMIC_RELEASE);
}

static struct counters counters_sum(const struct counters_pool *pool)
{
	unsigned int used = __atomic_load_n(&pool->used, __ATOMIC_RELAXED);
	struct counters sum = { 0 };

	for (unsigned int i = 0; i < used; i++) {
#define COUNTER(name, meaning) sum.name += __atomic_load_n(&pool->cells[i].name, __ATOMIC_RELAXED);
#include "counters.def"
#undef COUNTER
	}
	return sum;
}

void counters_print(const struct counters_pool *pool, FILE *out)
{
	struct counters sum = counters_sum(pool);

	/* One thread accepts, another closes: seen mid-way, closes may be ahead. */
	if (sum.closes > sum.accepts)
		sum.accepts = sum.closes;
#define COUNTER(name, meaning) fprintf(out, "\"" #name "\":%lu,", sum.name);
#include "counters.def"
#undef COUNTER
	fprintf(out, "\"open_connections\":%lu", sum.accepts - sum.closes);
}
