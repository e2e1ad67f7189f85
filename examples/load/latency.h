/* SPDX-License-Identifier: MIT */
/*
 * Exact percentiles: every sample is kept. 8 bytes per response are little beside the response.
 * Header only, like decode.h.
 */
#ifndef EXAMPLES_LOAD_LATENCY_H
#define EXAMPLES_LOAD_LATENCY_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

struct latency {
	uint64_t *samples_ns;
	size_t count, room;
};

static inline uint64_t latency_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* 0 or -ENOMEM; then the sample is lost. */
static inline int latency_add(struct latency *l, uint64_t ns)
{
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 1024;
		uint64_t *more = realloc(l->samples_ns, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->samples_ns = more;
		l->room = room;
	}
	l->samples_ns[l->count++] = ns;
	return 0;
}

static inline int latency_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* To be called once, after the last sample and before the first percentile. */
static inline void latency_sort(struct latency *l)
{
	if (l->count)
		qsort(l->samples_ns, l->count, sizeof(*l->samples_ns), latency_compare);
}

/* The smallest sample that at least permille of 1000 samples do not exceed; 0 without any. */
static inline uint64_t latency_permille_ns(const struct latency *l, unsigned int permille)
{
	size_t rank = (l->count * permille + 999) / 1000;

	if (!l->count)
		return 0;
	return l->samples_ns[rank ? rank - 1 : 0];
}

#endif
