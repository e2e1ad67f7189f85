/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.x request parser: bytes in, state out. Pure: no allocation, no I/O, no globals, so every
 * architecture may use it from any thread, and tests and fuzzers may feed it anything.
 *
 * It is a byte machine and keeps what it needs of the head in itself. So a request may be split
 * at any byte, no input has to be kept until the head is complete, and an idle connection costs
 * one small struct instead of a head-sized buffer.
 *
 * Strict where leniency has caused request smuggling elsewhere: CRLF only, no folding, no space
 * before the colon, one Host in HTTP/1.1, one Content-Length made of digits.
 */
#ifndef REACTOR_HTTP_H
#define REACTOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX_BYTES   8192 /* request line, headers and final CRLF CRLF together */
#define HTTP_TARGET_MAX_BYTES 255  /* longer targets are legal but name nothing of ours */

enum http_result {
	HTTP_MORE,	/* all input used, the head is not complete */
	HTTP_DONE,	/* one complete request; the rest of the input is the next one's */
	HTTP_BAD,	/* malformed: answer 400 and close, the framing is lost */
	HTTP_TOO_LARGE, /* head over HTTP_HEAD_MAX_BYTES: answer 431 and close */
};

enum http_method {
	HTTP_OTHER, /* a token, but neither of the two below */
	HTTP_GET,
	HTTP_HEAD,
};

/* What a request asks. Valid after HTTP_DONE; target is "" where it was too long to keep. */
struct http_request {
	enum http_method method;
	bool is_keep_alive; /* by version and Connection header */
	bool has_body;	    /* announced; the body itself is never read by this parser */
	char target[HTTP_TARGET_MAX_BYTES + 1]; /* NUL-terminated, printable ASCII */
};

/* Zeroed memory is a parser at the start of a request. Everything but request is its own. */
struct http_parser {
	struct http_request request;
	uint8_t at;    /* enum http_at in http.c */
	uint8_t field; /* header the value belongs to, enum http_field in http.c */
	uint8_t word_len;
	uint16_t target_len;
	uint16_t head_bytes; /* used of HTTP_HEAD_MAX_BYTES */
	bool is_word_cut;    /* the word was longer than word[] */
	bool is_http_1_0, has_host, has_length, says_close, says_keep_alive;
	char word[20]; /* method, version, header name or list element being read */
};

/* Begin the next request. */
void http_reset(struct http_parser *parser);

/*
 * Feed len bytes. ret_used: how many were consumed, which is less than len only where the result
 * is not HTTP_MORE. After such a result further calls consume nothing and repeat it until reset.
 */
enum http_result http_feed(struct http_parser *parser, const void *data, size_t len,
			   size_t *ret_used);

#endif
