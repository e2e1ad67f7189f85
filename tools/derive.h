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

/* part/whole in percent, 0 when whole is 0; rounded down, so 100 means all. */
unsigned derive_percent(uint64_t part, uint64_t whole);

#endif
