/* SPDX-License-Identifier: MIT */
/*
 * Numbers and sentences for people. The functions that return text use a small ring of static
 * buffers (TEXT_RING calls stay valid), so that several fit into one printf.
 */
#ifndef UNSPIN_TEXT_H
#define UNSPIN_TEXT_H

#include <stdint.h>
#include <stdio.h>

enum { TEXT_RING = 16, TEXT_WIDTH = 100 };

const char *text_count(uint64_t value); /* 1,234,567 */
const char *text_short(uint64_t value); /* at most 6 letters: 1234567 -> 1.23M */
const char *text_bytes(uint64_t bytes); /* 1.21 MiB */
const char *text_size(uint64_t bytes);	/* at most 6 letters, powers of 1024: 1.21M */
const char *text_duration(uint64_t ns); /* 1.25 ms, 3 min 12 s */
const char *text_span(uint64_t ns);	/* at most 7 letters: 3m12s */

/* A value in its unit: bytes, ns and us scaled, everything else "1,234 calls". */
const char *text_value(uint64_t value, const char *unit);

/* Bytes of unknown origin made harmless for a terminal: control characters become '?'. */
const char *text_clean(const char *text);

/*
 * Prints text broken between words at `width` columns, lines after the first one indented by
 * `indent`; `at` is the column the first line starts in. A newline in it starts a new line.
 */
void text_wrap(FILE *out, const char *text, unsigned at, unsigned indent, unsigned width);

#endif
