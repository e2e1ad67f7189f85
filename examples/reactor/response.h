/* SPDX-License-Identifier: MIT */
/*
 * Responses as blocks of bytes: head and body side by side, so that one write() can carry both;
 * or, to be sent by sendfile(), the head in memory and the body in a file.
 */
#ifndef REACTOR_RESPONSE_H
#define REACTOR_RESPONSE_H

#include <stdio.h>

#include "file.h"
#include "path.h"

#define RESPONSE_BODY_MAX_BYTES (64UL << 20) /* in memory */

/* Everything of an answer but its body. */
struct status {
	const char *line;  /* code and reason */
	const char *type;  /* of the body */
	const char *extra; /* further header lines */
	bool is_error;
};

/* Immutable once somebody else has seen it. The head is bytes[0] to head_bytes; the body goes on
 * from there up to total_bytes, or is the whole of the file fd. */
struct response {
	size_t head_bytes;
	size_t total_bytes;
	int fd;		 /* -1: the body is in bytes */
	bool is_closing; /* says "Connection: close", and the connection must be */
	bool is_error;	 /* status 4xx or 5xx */
	bool is_shared;	 /* belongs to the cache */
	struct file_id id;
	char name[PATH_MAX_BYTES]; /* below --root; "": generated */
	char bytes[];
};

extern const struct status status_bad, status_missing, status_method, status_large, status_overload,
	status_trouble;

/* The head of an answer with room for a body to be filled in, or, with an fd, with that file as
 * its body; the fd is then the response's. NULL: out of memory, and the fd is still open. */
struct response *response_new(const struct status *status, bool is_closing, size_t body_bytes,
			      int fd);

/* With a copy of the body. NULL: out of memory. */
struct response *response_from_text(const struct status *status, bool is_closing, const char *body,
				    size_t body_bytes);

/* The status line again, with its newline, as the body: it is what people see in curl. */
struct response *response_error(const struct status *status, bool is_closing);

/* Read the body `passes` times: the work of making a page, proportional to its size. */
void response_work(const struct response *r, long passes);

/* End the use of a response's bytes; the cache's own stay. */
void response_put(struct response *response);

/* For the cache, and for what it does not own. NULL is fine. */
void response_free(struct response *response);

#endif
