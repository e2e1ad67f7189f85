/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define ROOM 320

static char *next_buffer(void)
{
	static char ring[TEXT_RING][ROOM];
	static unsigned next;

	return ring[next++ % TEXT_RING];
}

const char *text_count(uint64_t value)
{
	char digits[24], *ret = next_buffer();
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, value), at = 0;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			ret[at++] = ',';
		ret[at++] = digits[i];
	}
	ret[at] = '\0';
	return ret;
}

/* Three digits and a suffix: `steps` counts how often the value is at least `base`. */
static const char *scaled(uint64_t value, double base, const char *const *suffixes)
{
	char *ret = next_buffer();
	double x = (double)value;
	unsigned steps = 0;

	/* Plain numbers are exact, so they go up to the base; 999.5 of a step prints as 1000. */
	for (; x >= (steps ? 999.5 : base) && suffixes[steps + 1]; steps++)
		x /= base;
	if (steps == 0)
		snprintf(ret, ROOM, "%" PRIu64 "%s", value, suffixes[0]);
	else
		snprintf(ret, ROOM, "%.*f%s",
			 x < 9.995   ? 2
			 : x < 99.95 ? 1
				     : 0,
			 x, suffixes[steps]);
	return ret;
}

const char *text_short(uint64_t value)
{
	static const char *const suffixes[] = { "", "k", "M", "G", "T", "P", "E", NULL };

	/* Up to five digits tell more than 12.3k and are as short. */
	if (value < 100000) {
		char *ret = next_buffer();

		snprintf(ret, ROOM, "%" PRIu64, value);
		return ret;
	}
	return scaled(value, 1000, suffixes);
}

const char *text_bytes(uint64_t bytes)
{
	static const char *const suffixes[] = { " B",	" KiB", " MiB", " GiB",
						" TiB", " PiB", " EiB", NULL };

	return scaled(bytes, 1024, suffixes);
}

const char *text_size(uint64_t bytes)
{
	static const char *const suffixes[] = { "", "K", "M", "G", "T", "P", "E", NULL };

	return scaled(bytes, 1024, suffixes);
}

/* The two largest parts of a time of a minute or more: "3 min 12 s". */
static const char *long_duration(uint64_t seconds, const char *format, const char *const *units)
{
	static const uint64_t length[] = { 86400, 3600, 60, 1 };
	char *ret = next_buffer();
	unsigned i = 0;

	while (seconds < length[i])
		i++;
	snprintf(ret, ROOM, format, seconds / length[i], units[i],
		 seconds % length[i] / length[i + 1], units[i + 1]);
	return ret;
}

const char *text_duration(uint64_t ns)
{
	static const char *const units[] = { "d", "h", "min", "s" };
	static const char *const suffixes[] = { " ns", " µs", " ms", " s", NULL };

	if (ns >= 60 * UINT64_C(1000000000))
		return long_duration(ns / 1000000000, "%" PRIu64 " %s %" PRIu64 " %s", units);
	return scaled(ns, 1000, suffixes);
}

const char *text_span(uint64_t ns)
{
	static const char *const units[] = { "d", "h", "m", "s" };
	char *ret = next_buffer();

	if (ns >= 60 * UINT64_C(1000000000))
		return long_duration(ns / 1000000000, "%" PRIu64 "%s%" PRIu64 "%s", units);
	snprintf(ret, ROOM, "%" PRIu64 "s", ns / 1000000000);
	return ret;
}

const char *text_value(uint64_t value, const char *unit)
{
	char *ret;

	if (!strcmp(unit, "bytes"))
		return text_bytes(value);
	if (!strcmp(unit, "ns"))
		return text_duration(value);
	if (!strcmp(unit, "us") && value < UINT64_MAX / 1000)
		return text_duration(value * 1000);
	ret = next_buffer();
	snprintf(ret, ROOM, "%s %s", text_count(value), unit);
	return ret;
}

const char *text_clean(const char *text)
{
	char *ret = next_buffer();
	unsigned i;

	for (i = 0; text[i] && i + 1 < ROOM; i++) {
		unsigned char c = (unsigned char)text[i];

		/* 0x80..0x9f as a lone byte is CSI and friends on some terminals. */
		ret[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) ? '?' : text[i];
	}
	ret[i] = '\0';
	return ret;
}

/* Columns a word takes: bytes that start a character (ours are all one column wide). */
static unsigned columns(const char *word, size_t bytes)
{
	unsigned n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += ((unsigned char)word[i] & 0xc0) != 0x80;
	return n;
}

void text_wrap(FILE *out, const char *text, unsigned at, unsigned indent, unsigned width)
{
	unsigned start = at;

	while (*text) {
		size_t bytes = strcspn(text, " \n");
		unsigned wide = columns(text, bytes);

		if (at > start && at + 1 + wide > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = start = indent;
		}
		if (at > start)
			putc(' ', out);
		fwrite(text, 1, bytes, out);
		at += wide + (at > start);
		text += bytes;
		if (*text == '\n') {
			fprintf(out, "\n%*s", (int)indent, "");
			at = start = indent;
		}
		text += *text != '\0';
	}
	putc('\n', out);
}
