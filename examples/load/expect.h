/* SPDX-License-Identifier: MIT */
/*
 * What a body must be: the pattern of /bytes/N, the bytes of a file, or anything. Header only,
 * like decode.h.
 */
#ifndef EXAMPLES_LOAD_EXPECT_H
#define EXAMPLES_LOAD_EXPECT_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/pattern.h"

#define EXPECT_PATTERN_MAX_BYTES (1UL << 30) /* against typing errors: it is held in memory */

/* Zeroed memory expects anything. */
struct expect {
	bool is_set;
	unsigned char *body;
	size_t bytes;
};

/* Expect the demo server's answer to path. 0, -EINVAL (not /bytes/N) or -ENOMEM. */
static inline int expect_pattern(struct expect *e, const char *path)
{
	unsigned long bytes;
	int len = 0;

	if (sscanf(path, "/bytes/%lu%n", &bytes, &len) != 1 || path[len] ||
	    bytes > EXPECT_PATTERN_MAX_BYTES)
		return -EINVAL;
	e->body = malloc(bytes + 1);
	if (!e->body)
		return -ENOMEM;
	pattern_fill(e->body, bytes);
	e->bytes = bytes;
	e->is_set = true;
	return 0;
}

static inline int expect_read(struct expect *e, FILE *file)
{
	size_t room = 0, n;

	do {
		unsigned char *more;

		room = room ? room * 2 : 65536;
		more = realloc(e->body, room);
		if (!more)
			return -ENOMEM;
		e->body = more;
		n = fread(e->body + e->bytes, 1, room - e->bytes, file);
		e->bytes += n;
	} while (e->bytes == room);
	return ferror(file) ? -EIO : 0;
}

/* Expect the content of a file. 0 or -errno. */
static inline int expect_file(struct expect *e, const char *path)
{
	FILE *file = fopen(path, "rb");
	int ret;

	if (!file)
		return -errno;
	ret = expect_read(e, file);
	fclose(file);
	e->is_set = ret == 0;
	return ret;
}

/* The pattern of path, the content of a file, or, with neither, anything. 0, or -errno after
 * saying what the matter is. */
static inline int expect_init(struct expect *e, bool is_pattern, const char *path, const char *file)
{
	int ret = 0;

	if (is_pattern)
		ret = expect_pattern(e, path);
	else if (file)
		ret = expect_file(e, file);
	if (ret)
		fprintf(stderr, "cannot tell what to expect from '%s': %s\n",
			is_pattern ? path : file, strerror(-ret));
	return ret;
}

/* Whether these bytes belong at this offset; ret_first, where not: the offset of the first that
 * does not. It is e->bytes where the body is longer than it may be. */
static inline bool expect_holds(const struct expect *e, size_t at, const char *data, size_t bytes,
				size_t *ret_first)
{
	const unsigned char *got = (const unsigned char *)data;

	if (!e->is_set ||
	    (at <= e->bytes && bytes <= e->bytes - at && !memcmp(e->body + at, got, bytes)))
		return true;
	while (at < e->bytes && e->body[at] == *got) {
		at++;
		got++;
	}
	*ret_first = at;
	return false;
}

#endif
