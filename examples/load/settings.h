/* SPDX-License-Identifier: MIT */
/* The command line of slowread. Header only, like decode.h. */
#ifndef EXAMPLES_LOAD_SETTINGS_H
#define EXAMPLES_LOAD_SETTINGS_H

#include <limits.h>

#include "../common/options.h"

#define SETTINGS_CHUNK_BYTES  65536 /* default; with a rate less, so that it becomes smooth */
#define SETTINGS_CHUNKS_PER_S 50

#define SETTINGS_REQUEST_BYTES 4096 /* room for the request; a longer path is refused */

struct settings {
	const char *host, *path, *expect_path;
	long port, conns, requests, rcvbuf_bytes, rate_bytes, chunk_bytes, timeout_s;
	bool is_closing, is_verifying;
};

/* Write the request to ret_request (SETTINGS_REQUEST_BYTES) and return its length. */
static inline int settings_request(const struct settings *s, char *ret_request)
{
	return snprintf(ret_request, SETTINGS_REQUEST_BYTES,
			"GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", s->path, s->host,
			s->is_closing ? "Connection: close\r\n" : "");
}

static inline void settings_print_help(const struct option_row *rows)
{
	printf("usage: slowread --port N [options]\n\n");
	options_print(rows);
	printf("\nPrints one line of JSON. Exit status 1 after any error or mismatch.\n");
}

/* What no single row can check. */
static inline int settings_check(struct settings *s)
{
	char request[SETTINGS_REQUEST_BYTES];
	const char *problem = NULL;

	if (!s->port)
		problem = "--port is needed";
	else if (s->is_verifying && s->expect_path)
		problem = "--verify and --expect exclude each other";
	else if (s->path[0] != '/' || strpbrk(s->path, " \r\n"))
		problem = "--path must begin with '/' and have no spaces";
	else if (settings_request(s, request) >= SETTINGS_REQUEST_BYTES)
		problem = "--path or --host is too long";
	if (problem) {
		fprintf(stderr, "%s, see --help\n", problem);
		return -EINVAL;
	}
	if (!s->chunk_bytes)
		s->chunk_bytes = SETTINGS_CHUNK_BYTES;
	return 0;
}

static inline void settings_smooth(struct settings *s)
{
	long bytes = s->rate_bytes / SETTINGS_CHUNKS_PER_S;

	if (s->rate_bytes && !s->chunk_bytes && bytes < SETTINGS_CHUNK_BYTES)
		s->chunk_bytes = bytes ? bytes : 1;
}

/* 0: go on; 1: --help was printed; -EINVAL after saying what is wrong. */
static inline int settings_parse(struct settings *s, char **argv)
{
	bool wants_help = false;
	struct option_row rows[] = {
		{ "host", "ADDRESS", .text = &s->host, .help = "server" },
		{ "port", "N", .number = &s->port, .min = 1, .max = 65535,
		  .help = "server's port" },
		{ "path", "PATH", .text = &s->path, .help = "what to GET" },
		{ "conns", "N", .number = &s->conns, .min = 1, .max = 1000000,
		  .help = "connections at once" },
		{ "requests", "N", .number = &s->requests, .min = 1, .max = LONG_MAX,
		  .help = "requests per connection" },
		{ "rcvbuf", "BYTES", .number = &s->rcvbuf_bytes, .max = INT_MAX / 2,
		  .help = "fixed SO_RCVBUF; 0: kernel default" },
		{ "rate", "BYTES", .number = &s->rate_bytes, .max = 1L << 40,
		  .help = "read so much per second and connection; 0: at once" },
		{ "chunk", "BYTES", .number = &s->chunk_bytes, .max = 1L << 26,
		  .help = "per read; 0: 65536, or a fiftieth of --rate if that is less" },
		{ "close", .flag = &s->is_closing,
		  .help = "Connection: close, a connection per request" },
		{ "verify", .flag = &s->is_verifying,
		  .help = "compare with what /bytes/N of the reactor must be" },
		{ "expect", "FILE", .text = &s->expect_path, .help = "compare with this file" },
		{ "timeout-s", "N", .number = &s->timeout_s, .min = 1, .max = 1000000,
		  .help = "give up after so many seconds in all" },
		{ "help", .flag = &wants_help, .help = "this text" },
		{ .name = NULL },
	};

	if (options_parse(rows, argv) < 0)
		return -EINVAL;
	if (wants_help) {
		settings_print_help(rows);
		return 1;
	}
	settings_smooth(s);
	return settings_check(s);
}

#endif
