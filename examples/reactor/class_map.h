/* SPDX-License-Identifier: MIT */
/*
 * HybridNetty's map: which responses spin. A class is a range of sizes, four to each power of
 * two; by size and not by target, because a map over names needs a bound and an eviction, and
 * size is what makes a response spin.
 *
 *	unknown --went out at once--> light --spun--> heavy --256 in a row at once--> light …
 *	   `------------spun-------------------------^
 *
 * One response that spins is enough to take its class for heavy, since a wrong "light" costs up
 * to a round trip of everybody's time. Back it needs CLASS_MAP_CALM in a row, since a wrong
 * "heavy" costs next to nothing: with 16, 100 KB responses through a 16 KB buffer at 5 ms, which
 * the kernel takes whole now and then (it overshoots the buffer by one segment of up to 64 KB),
 * changed sides 20 times in two seconds. The paper says only that the map is corrected.
 *
 * Pure, and without locks: entries are independent, relaxed atomics. Two threads that learn at
 * once may count a calm response too few or change the path twice; the next ones put it right.
 */
#ifndef REACTOR_CLASS_MAP_H
#define REACTOR_CLASS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CLASS_MAP_CLASSES 248
#define CLASS_MAP_CALM	  256

enum class_path {
	CLASS_UNKNOWN,
	CLASS_LIGHT,
	CLASS_HEAVY,
};

/* All fields atomic. Zeroed memory is a map that knows nothing. */
struct class_map {
	struct class_entry {
		enum class_path path;
		unsigned int calm;	/* heavy only: that went out at once, in a row */
		unsigned long to_heavy; /* corrections, each way */
		unsigned long to_light;
	} entries[CLASS_MAP_CLASSES];
};

/* The class of a response of so many bytes. */
unsigned int class_map_find(size_t response_bytes);

static inline enum class_path class_map_path(const struct class_map *map, unsigned int class_at)
{
	return __atomic_load_n(&map->entries[class_at].path, __ATOMIC_RELAXED);
}

/* A response of the class took more than one write, or not. True: the class was taken for the
 * wrong one and has changed its path. */
bool class_map_learn(struct class_map *map, unsigned int class_at, bool has_spun);

/* The known classes as a JSON array. */
void class_map_print(const struct class_map *map, FILE *out);

#endif
