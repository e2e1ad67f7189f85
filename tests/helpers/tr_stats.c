/* SPDX-License-Identifier: MIT */
/* tr_stats FILE: the totals and process-wide cells of a statistics file, one `NAME VALUE` a line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim/config.h"
#include "shim/stats_layout.h"

static const char *const total_name[] = {
#define TOTAL(id, name, unit, help) #name,
#include "shim/stats.def"
};

static const char *const global_name[] = {
#define GLOBAL(id, name, unit, help) #name,
#include "shim/stats.def"
};

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	char *data = malloc(64 << 20);
	const struct stats_header *h = (const void *)data;
	const struct section *s;

	if (!file || !data || fread(data, 1, 64 << 20, file) < sizeof(*h) || h->magic != STATS_MAGIC)
		return 1;
	s = &h->section[SECTION_THREADS];
	for (unsigned id = 0; id < TOTAL_COUNT; id++) {
		uint64_t sum = h->departed[id];

		for (uint32_t i = 0; i < s->count; i++) {
			const struct thread_row *row =
				(const void *)(data + s->offset + (uint64_t)i * s->stride);

			sum += row->state == ROW_OPEN ? row->total[id] : 0;
		}
		printf("%s %" PRIu64 "\n", total_name[id], sum);
	}
	for (unsigned id = 0; id < GLOBAL_COUNT; id++)
		printf("%s %" PRIu64 "\n", global_name[id], h->global[id]);
	return 0;
}
