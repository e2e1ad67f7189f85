/* SPDX-License-Identifier: MIT */
#include "response.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_ROOM_BYTES 256 /* the longest head below takes 150 */

const struct status status_bad = { "400 Bad Request", "text/plain", "", true };
const struct status status_missing = { "404 Not Found", "text/plain", "", true };
const struct status status_method = { "405 Method Not Allowed", "text/plain",
				      "Allow: GET, HEAD\r\n", true };
const struct status status_large = { "431 Request Header Fields Too Large", "text/plain", "",
				     true };
const struct status status_trouble = { "500 Internal Server Error", "text/plain", "", true };
const struct status status_overload = { "503 Service Unavailable", "text/plain",
					"Retry-After: 1\r\n", true };

struct response *response_new(const struct status *status, bool is_closing, size_t body_bytes,
			      int fd)
{
	struct response *r = malloc(sizeof(*r) + HEAD_ROOM_BYTES + (fd < 0 ? body_bytes : 0));

	if (!r)
		return NULL;
	*r = (struct response){ .fd = fd, .is_closing = is_closing, .is_error = status->is_error };
	/* Connection is always said: clients of HTTP/1.0 with keep-alive (ab -k) insist on it. */
	r->head_bytes = (size_t)snprintf(r->bytes, HEAD_ROOM_BYTES,
					 "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
					 "Content-Length: %zu\r\nConnection: %s\r\n%s\r\n",
					 status->line, status->type, body_bytes,
					 is_closing ? "close" : "keep-alive", status->extra);
	r->total_bytes = r->head_bytes + body_bytes;
	return r;
}

struct response *response_from_text(const struct status *status, bool is_closing, const char *body,
				    size_t body_bytes)
{
	struct response *r = response_new(status, is_closing, body_bytes, -1);

	if (r)
		memcpy(r->bytes + r->head_bytes, body, body_bytes);
	return r;
}

struct response *response_error(const struct status *status, bool is_closing)
{
	char body[64];
	int len = snprintf(body, sizeof(body), "%s\n", status->line);

	return response_from_text(status, is_closing, body, (size_t)len);
}

static unsigned char sum_add(unsigned char sum, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (unsigned char)(sum * 31 + (unsigned char)bytes[i]);
	return sum;
}

static unsigned char sum_of_file(int fd)
{
	unsigned char sum = 0;
	char piece[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, piece, sizeof(piece), at)) > 0) {
		sum = sum_add(sum, piece, (size_t)n);
		at += n;
	}
	return sum;
}

void response_work(const struct response *r, long passes)
{
	unsigned char sum = 0;

	for (long pass = 0; pass < passes; pass++) {
		if (r->fd >= 0)
			sum += sum_of_file(r->fd);
		else
			sum = sum_add(sum, r->bytes + r->head_bytes,
				      r->total_bytes - r->head_bytes);
		__asm__ volatile("" : : "r"(sum)); /* or the compiler drops the work */
	}
}

void response_free(struct response *response)
{
	if (!response)
		return;
	if (response->fd >= 0)
		close(response->fd);
	free(response);
}

void response_put(struct response *response)
{
	if (response && !response->is_shared)
		response_free(response);
}
