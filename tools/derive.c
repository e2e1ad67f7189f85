/* SPDX-License-Identifier: MIT */
#include "derive.h"

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

unsigned derive_percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part / (double)whole * 100.0) : 0;
}
