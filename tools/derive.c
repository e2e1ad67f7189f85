/* SPDX-License-Identifier: MIT */
#include "derive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void derive_totals(const struct stats_view *view, uint64_t ret_total[TOTAL_COUNT])
{
	struct thread_row row;

	for (unsigned i = 0; i < TOTAL_COUNT; i++)
		ret_total[i] = i < view->header.total_count ? view->header.departed[i] : 0;
	for (uint32_t n = 0; n < read_rows(view, SECTION_THREADS); n++) {
		if (!read_thread(view, n, &row))
			continue;
		for (unsigned i = 0; i < TOTAL_COUNT; i++)
			ret_total[i] += row.total[i];
	}
}

uint64_t derive_wall_ns(const struct stats_view *view, uint64_t monotonic_ns)
{
	if (monotonic_ns == 0)
		return 0;
	/* Unsigned: also right for a time before the file was begun. */
	return view->header.started_ns + (monotonic_ns - view->header.started_monotonic_ns);
}

static int compare_sizes(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t derive_response_p50(const struct socket_row *row)
{
	uint32_t sizes[sizeof(row->response_bytes) / sizeof(row->response_bytes[0])];
	unsigned known = 0;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (row->response_bytes[i])
			sizes[known++] = row->response_bytes[i];
	if (known == 0)
		return 0;
	qsort(sizes, known, sizeof(sizes[0]), compare_sizes);
	return sizes[(known - 1) / 2];
}

uint64_t derive_stalls(const struct socket_row *row)
{
	return row->eagain_writes + row->short_writes;
}

uint64_t derive_waste(const struct waste_site *site)
{
	uint64_t sum = 0;

#define SITE(name, unit, help) sum += site->name;
#include "../shim/stats.def"
	return sum;
}

const struct waste_site *derive_worst_site(const struct stats_view *view, size_t offset)
{
	const struct waste_site *worst = NULL;
	uint64_t most = 0, cell;

	for (unsigned i = 0; i < STATS_WASTE_SITES; i++) {
		memcpy(&cell, (const char *)&view->header.waste[i] + offset, sizeof(cell));
		if (view->header.waste[i].address && cell > most) {
			most = cell;
			worst = &view->header.waste[i];
		}
	}
	return worst;
}

unsigned derive_percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part / (double)whole * 100.0) : 0;
}

const char *derive_share(uint64_t part, uint64_t whole)
{
	static char text[24];
	unsigned percent = derive_percent(part, whole);

	if (part && !percent)
		return "under 1 %";
	snprintf(text, sizeof(text), "%u %%", percent);
	return text;
}
