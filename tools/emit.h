/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON to a stream, one call per value: the only place that knows brackets, commas and
 * escapes. Every program-readable output of the tools goes through here; text for people goes
 * through table.h.
 *
 * A key is given inside objects and NULL inside arrays and for the outermost value. The caller
 * nests correctly: each emit_object() and emit_array() is closed by one emit_end().
 * Errors of the stream are left for ferror().
 */
#ifndef UNSPIN_EMIT_H
#define UNSPIN_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { EMIT_DEPTH_MAX = 32 };

struct emit {
	FILE *out;
	unsigned depth;	       /* open brackets, at most EMIT_DEPTH_MAX */
	uint32_t array_levels; /* bit n: the bracket opened at depth n is an array */
	bool has_sibling;      /* a value was written at this depth: a comma comes first */
};

void emit_begin(struct emit *emit, FILE *out);

void emit_object(struct emit *emit, const char *key);
void emit_array(struct emit *emit, const char *key);
/* Closes the innermost bracket; the outermost one is followed by a newline. */
void emit_end(struct emit *emit);

void emit_number(struct emit *emit, const char *key, uint64_t value);
void emit_signed(struct emit *emit, const char *key, int64_t value);
void emit_bool(struct emit *emit, const char *key, bool value);
void emit_null(struct emit *emit, const char *key);
/* Any bytes: what is not UTF-8 (a file name may be anything) becomes U+FFFD. NULL is "". */
void emit_string(struct emit *emit, const char *key, const char *value);

#endif
