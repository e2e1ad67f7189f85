/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.x response decoder: bytes in, spans of body out. Pure (no allocation, no I/O) and header
 * only, so that slowread is one file and a test can include it.
 *
 * Bodies by Content-Length, by chunks, or up to the end of the connection. Lenient about line
 * ends and unknown headers, since it must read any server; strict about the framing, since that
 * is what a broken write path breaks.
 */
#ifndef EXAMPLES_LOAD_DECODE_H
#define EXAMPLES_LOAD_DECODE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#define DECODE_LINE_MAX_BYTES 8192

enum decode_at {
	DECODE_STATUS, /* lines … */
	DECODE_HEADER,
	DECODE_CHUNK_SIZE,
	DECODE_CHUNK_END, /* the empty line after a chunk's bytes */
	DECODE_TRAILER,
	DECODE_BODY, /* bytes: left of them, until the connection ends if is_endless */
	DECODE_DONE,
};

/* Zeroed memory is a decoder at the start of a response. */
struct decode {
	enum decode_at at;
	int status; /* 200, …; valid after the status line */
	bool is_chunked, has_length, is_endless, is_closing;
	uint64_t left; /* body bytes to come: of the chunk, or of the whole */
	unsigned int line_len;
	char line[DECODE_LINE_MAX_BYTES + 1];
};

/* Not memset of all: the line buffer is large and its content does not matter. */
static inline void decode_reset(struct decode *d)
{
	memset(d, 0, offsetof(struct decode, line));
}

static inline int decode_status(struct decode *d)
{
	const char *line = d->line;

	if (strncmp(line, "HTTP/1.", 7) || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
		return -EPROTO;
	d->status = atoi(line + 9);
	if (d->status < 100 || d->status > 599)
		return -EPROTO;
	d->is_closing = line[7] == '0';
	d->at = DECODE_HEADER;
	return 0;
}

/* Where the head says the body begins and how it ends. */
static inline void decode_head_end(struct decode *d)
{
	if (d->status < 200) {
		decode_reset(d); /* 100 Continue and the like: the answer follows */
		return;
	}
	if (d->status == 204 || d->status == 304)
		d->at = DECODE_DONE;
	else if (d->is_chunked)
		d->at = DECODE_CHUNK_SIZE;
	else if (d->has_length && !d->left)
		d->at = DECODE_DONE;
	else
		d->at = DECODE_BODY;
	d->is_endless = d->at == DECODE_BODY && !d->has_length;
	d->is_closing |= d->is_endless;
}

/* A whole number in the given base up to the end of text or one of the stop characters. */
static inline int decode_number(const char *text, int base, const char *stops, uint64_t *ret_value)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	size_t len = strspn(text, digits);

	/* 15 digits of either base fit into 64 bits. */
	if (!len || len > 15 || (text[len] && !strchr(stops, text[len])))
		return -EPROTO;
	*ret_value = strtoull(text, NULL, base);
	return 0;
}

static inline int decode_header(struct decode *d)
{
	char *colon = strchr(d->line, ':'), *value;

	if (!d->line_len) {
		decode_head_end(d);
		return 0;
	}
	if (!colon)
		return -EPROTO;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	if (!strcasecmp(d->line, "content-length")) {
		d->has_length = true;
		return decode_number(value, 10, " \t", &d->left);
	}
	if (!strcasecmp(d->line, "transfer-encoding"))
		d->is_chunked = !strcasecmp(value, "chunked");
	else if (!strcasecmp(d->line, "connection"))
		d->is_closing = strcasecmp(value, "keep-alive") != 0 &&
				(d->is_closing || !strcasecmp(value, "close"));
	return 0;
}

static inline int decode_chunk_size(struct decode *d)
{
	int ret = decode_number(d->line, 16, "; \t", &d->left);

	d->at = d->left ? DECODE_BODY : DECODE_TRAILER;
	return ret;
}

/* A line is complete, its end cut off. */
static inline int decode_line(struct decode *d)
{
	switch (d->at) {
	case DECODE_STATUS:
		return decode_status(d);
	case DECODE_HEADER:
		return decode_header(d);
	case DECODE_CHUNK_SIZE:
		return decode_chunk_size(d);
	case DECODE_CHUNK_END:
		d->at = DECODE_CHUNK_SIZE;
		return d->line_len ? -EPROTO : 0;
	default:
		if (!d->line_len)
			d->at = DECODE_DONE;
		return 0;
	}
}

/* Collect one line. Returns the bytes used (the line may still be open) or -EPROTO. */
static inline ssize_t decode_text(struct decode *d, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t used = end ? (size_t)(end - data) + 1 : len;
	size_t text = end ? used - 1 : used;

	if (d->line_len + text > DECODE_LINE_MAX_BYTES)
		return -EPROTO;
	memcpy(d->line + d->line_len, data, text);
	d->line_len += (unsigned int)text;
	if (!end)
		return (ssize_t)used;
	if (d->line_len && d->line[d->line_len - 1] == '\r')
		d->line_len--;
	d->line[d->line_len] = '\0';
	if (decode_line(d) < 0)
		return -EPROTO;
	d->line_len = 0;
	return (ssize_t)used;
}

/*
 * Consume some of the data; len > 0 and not yet DECODE_DONE. Returns the bytes used, at least 1,
 * or -EPROTO. ret_body: how many of them were body (all or none).
 */
static inline ssize_t decode_step(struct decode *d, const char *data, size_t len, size_t *ret_body)
{
	size_t used = len;

	*ret_body = 0;
	if (d->at != DECODE_BODY)
		return decode_text(d, data, len);
	if (!d->is_endless) {
		if (used > d->left)
			used = d->left;
		d->left -= used;
		if (!d->left)
			d->at = d->is_chunked ? DECODE_CHUNK_END : DECODE_DONE;
	}
	*ret_body = used;
	return (ssize_t)used;
}

/* The connection ended. Whether that is a legal end of the response. */
static inline bool decode_may_end(const struct decode *d)
{
	return d->at == DECODE_DONE || (d->at == DECODE_BODY && d->is_endless);
}

#endif
