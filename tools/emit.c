/* SPDX-License-Identifier: MIT */
#include "emit.h"

#include <inttypes.h>

/*
 * Down to this depth every value stands on a line of its own; what lies deeper (one socket, one
 * thread) stays on its line, so that grep and eyes can work with the output.
 */
#define LINE_DEPTH 2

/* Length of the UTF-8 sequence at text, 0 if it is not one (overlong and surrogates neither). */
static unsigned utf8_length(const unsigned char *text)
{
	uint32_t code, least;
	unsigned length;

	if (text[0] < 0x80)
		return 1;
	if ((text[0] & 0xe0) == 0xc0)
		length = 2, least = 0x80, code = text[0] & 0x1fu;
	else if ((text[0] & 0xf0) == 0xe0)
		length = 3, least = 0x800, code = text[0] & 0x0fu;
	else if ((text[0] & 0xf8) == 0xf0)
		length = 4, least = 0x10000, code = text[0] & 0x07u;
	else
		return 0;
	/* The zero at the end is no continuation byte, so this never reads beyond it. */
	for (unsigned i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

static void put_character(FILE *out, const unsigned char **text)
{
	unsigned length = utf8_length(*text);

	if (length == 0) {
		fputs("\\ufffd", out);
		length = 1;
	} else if (**text == '"' || **text == '\\') {
		fprintf(out, "\\%c", **text);
	} else if (**text < 0x20 || **text == 0x7f) {
		fprintf(out, "\\u%04x", **text);
	} else {
		fwrite(*text, 1, length, out);
	}
	*text += length;
}

static void put_string(FILE *out, const char *value)
{
	const unsigned char *text = (const unsigned char *)(value ? value : "");

	putc('"', out);
	while (*text)
		put_character(out, &text);
	putc('"', out);
}

static void new_line(struct emit *emit)
{
	fprintf(emit->out, "\n%*s", (int)(2 * emit->depth), "");
}

/* What comes before every value: comma, place, key. */
static void lead_in(struct emit *emit, const char *key)
{
	if (emit->has_sibling)
		putc(',', emit->out);
	if (emit->depth > 0 && emit->depth <= LINE_DEPTH)
		new_line(emit);
	else if (emit->has_sibling)
		putc(' ', emit->out);
	if (key) {
		put_string(emit->out, key);
		fputs(": ", emit->out);
	}
	emit->has_sibling = true;
}

static void open_bracket(struct emit *emit, const char *key, bool is_array)
{
	lead_in(emit, key);
	putc(is_array ? '[' : '{', emit->out);
	if (is_array)
		emit->array_levels |= 1u << emit->depth;
	else
		emit->array_levels &= ~(1u << emit->depth);
	emit->depth++;
	emit->has_sibling = false;
}

void emit_begin(struct emit *emit, FILE *out)
{
	*emit = (struct emit){ .out = out };
}

void emit_object(struct emit *emit, const char *key)
{
	open_bracket(emit, key, false);
}

void emit_array(struct emit *emit, const char *key)
{
	open_bracket(emit, key, true);
}

void emit_end(struct emit *emit)
{
	bool had_lines = emit->has_sibling && emit->depth <= LINE_DEPTH;

	emit->depth--;
	if (had_lines)
		new_line(emit);
	putc(emit->array_levels & 1u << emit->depth ? ']' : '}', emit->out);
	emit->has_sibling = true;
	if (emit->depth == 0)
		putc('\n', emit->out);
}

void emit_number(struct emit *emit, const char *key, uint64_t value)
{
	lead_in(emit, key);
	fprintf(emit->out, "%" PRIu64, value);
}

void emit_signed(struct emit *emit, const char *key, int64_t value)
{
	lead_in(emit, key);
	fprintf(emit->out, "%" PRId64, value);
}

void emit_bool(struct emit *emit, const char *key, bool value)
{
	lead_in(emit, key);
	fputs(value ? "true" : "false", emit->out);
}

void emit_null(struct emit *emit, const char *key)
{
	lead_in(emit, key);
	fputs("null", emit->out);
}

void emit_string(struct emit *emit, const char *key, const char *value)
{
	lead_in(emit, key);
	put_string(emit->out, value);
}
