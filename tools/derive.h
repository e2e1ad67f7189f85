/* SPDX-License-Identifier: MIT */
/*
 * Numbers computed from a statistics file rather than stored in it. One place, so that text,
 * JSON and the advice never disagree. Pure.
 */
#ifndef UNSPIN_DERIVE_H
#define UNSPIN_DERIVE_H

#include <stdint.h>
#include "read.h"

/*
 * The process's totals: rows of living threads plus what ended threads left in the header. While
 * a thread ends, its share moves from the one to the other, so a copy may count it not or twice.
 */
void derive_totals(const struct stats_view *view, uint64_t ret_total[TOTAL_COUNT]);

/* Wall-clock time (ns since 1970) of a CLOCK_MONOTONIC time in the file. 0 stays 0. */
uint64_t derive_wall_ns(const struct stats_view *view, uint64_t monotonic_ns);

/* The median of the known sizes of the last responses (the smaller of two middle ones), or 0. */
uint32_t derive_response_p50(const struct socket_row *row);

/* Writes that stalled: sent nothing, or less than asked. */
uint64_t derive_stalls(const struct socket_row *row);

/* All that a call site has done for nothing. */
uint64_t derive_waste(const struct waste_site *site);

/* The site of most of one counter of SCOPE_SITES, offset is the counter's; NULL: none has any. */
const struct waste_site *derive_worst_site(const struct stats_view *view, size_t offset);

/* part/whole in percent, 0 when whole is 0; rounded down, so 100 means all. */
unsigned derive_percent(uint64_t part, uint64_t whole);

/* The same in words: "12 %", "under 1 %" for little, "0 %" only for nothing. One static text. */
const char *derive_share(uint64_t part, uint64_t whole);

#endif
