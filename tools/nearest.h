/* SPDX-License-Identifier: MIT */
/* "Did you mean ...?": the valid name closest to a mistyped one. Pure. */
#ifndef UNSPIN_NEAREST_H
#define UNSPIN_NEAREST_H

/*
 * How many letters to insert, delete, replace or swap with their neighbour to turn one name into
 * the other; capitals do not count. Only the first 63 letters of each are compared.
 */
unsigned nearest_distance(const char *a, const char *b);

/* The index of the name closest to `wanted` (the first one if several are), -1 if count is 0. */
int nearest_index(const char *wanted, const char *const *names, unsigned count);

#endif
