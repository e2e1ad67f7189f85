/* SPDX-License-Identifier: MIT */
#include "response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/pattern.h"
#include "server.h"

#define HEAD_ROOM_BYTES 256 /* the longest head below takes 150 */

/* Everything of an answer but its body. */
struct status {
	const char *line;  /* code and reason */
	const char *type;  /* of the body */
	const char *extra; /* further header lines */
	bool is_error;
};

static const struct status status_bytes = { "200 OK", "application/octet-stream", "", false };
static const struct status status_json = { "200 OK", "application/json", "", false };
static const struct status status_bad = { "400 Bad Request", "text/plain", "", true };
static const struct status status_missing = { "404 Not Found", "text/plain", "", true };
static const struct status status_method = { "405 Method Not Allowed", "text/plain",
					     "Allow: GET, HEAD\r\n", true };
static const struct status status_large = { "431 Request Header Fields Too Large", "text/plain", "",
					    true };

/* The head of an answer, its body still to be filled in. NULL: out of memory. */
static struct response *response_new(const struct status *status, bool is_closing,
				     size_t body_bytes)
{
	struct response *r = malloc(sizeof(*r) + HEAD_ROOM_BYTES + body_bytes);

	if (!r)
		return NULL;
	/* Connection is always said: clients of HTTP/1.0 with keep-alive (ab -k) insist on it. */
	r->head_bytes = (size_t)snprintf(r->bytes, HEAD_ROOM_BYTES,
					 "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
					 "Content-Length: %zu\r\nConnection: %s\r\n%s\r\n",
					 status->line, status->type, body_bytes,
					 is_closing ? "close" : "keep-alive", status->extra);
	r->total_bytes = r->head_bytes + body_bytes;
	r->is_closing = is_closing;
	r->is_error = status->is_error;
	r->is_shared = false;
	return r;
}

static struct response *response_from_text(const struct status *status, bool is_closing,
					   const char *body, size_t body_bytes)
{
	struct response *r = response_new(status, is_closing, body_bytes);

	if (r)
		memcpy(r->bytes + r->head_bytes, body, body_bytes);
	return r;
}

/* The status line again, with its newline, is the body: it is what people see in curl. */
static struct response *response_error(const struct status *status, bool is_closing)
{
	char body[64];
	int len = snprintf(body, sizeof(body), "%s\n", status->line);

	return response_from_text(status, is_closing, body, (size_t)len);
}

static struct response *response_bytes(size_t body_bytes, bool is_closing)
{
	struct response *r = response_new(&status_bytes, is_closing, body_bytes);

	if (r)
		pattern_fill((unsigned char *)r->bytes + r->head_bytes, body_bytes);
	return r;
}

static struct response *response_stats(struct server *srv, bool is_closing)
{
	struct response *r;
	char *body = NULL;
	size_t body_bytes;
	FILE *out = open_memstream(&body, &body_bytes);

	if (!out)
		return NULL;
	server_print_stats(srv, out);
	if (fclose(out) != 0) {
		free(body);
		return NULL;
	}
	r = response_from_text(&status_json, is_closing, body, body_bytes);
	free(body);
	return r;
}

static bool response_is_for(const struct response *r, size_t body_bytes, bool is_closing)
{
	return r->total_bytes - r->head_bytes == body_bytes && r->is_closing == is_closing;
}

/* The slot that holds the response, or the first empty one on its way; NULL: cache full. */
static struct response **cache_find(struct response_cache *cache, size_t body_bytes,
				    bool is_closing)
{
	/* Fibonacci hashing: the usual sizes are round, their low bits all alike. */
	size_t at = (body_bytes * 2 + is_closing) * 0x9e3779b97f4a7c15UL >> 32;

	for (int i = 0; i < RESPONSE_CACHE_SLOTS; i++, at++) {
		struct response **slot = &cache->slots[at % RESPONSE_CACHE_SLOTS];
		/* Acquire pairs with the publication in cache_offer. */
		const struct response *r = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

		if (!r || response_is_for(r, body_bytes, is_closing))
			return slot;
	}
	return NULL;
}

/* Hand a response to the cache if there is budget and nobody was faster; else it stays private. */
static void cache_offer(struct response_cache *cache, struct response **slot, struct response *r)
{
	struct response *empty = NULL;

	if (__atomic_add_fetch(&cache->used_bytes, r->total_bytes, __ATOMIC_RELAXED) <=
	    RESPONSE_CACHE_MAX_BYTES) {
		r->is_shared = true;
		if (__atomic_compare_exchange_n(slot, &empty, r, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
		r->is_shared = false;
	}
	__atomic_sub_fetch(&cache->used_bytes, r->total_bytes, __ATOMIC_RELAXED);
}

static struct response *cache_get(struct response_cache *cache, size_t body_bytes, bool is_closing)
{
	struct response **slot = cache_find(cache, body_bytes, is_closing);
	struct response *r = slot ? __atomic_load_n(slot, __ATOMIC_ACQUIRE) : NULL;

	/* Between find and load another thread may have put a different size into the slot. */
	if (r && response_is_for(r, body_bytes, is_closing))
		return r;
	r = response_bytes(body_bytes, is_closing);
	if (r && slot)
		cache_offer(cache, slot, r);
	return r;
}

void response_cache_clear(struct response_cache *cache)
{
	for (int i = 0; i < RESPONSE_CACHE_SLOTS; i++)
		free(cache->slots[i]);
	memset(cache, 0, sizeof(*cache));
}

/* The N of /bytes/N; false: no such page. Eight digits are more than the limit has. */
static bool target_size(const char *target, size_t *ret_body_bytes)
{
	static const char prefix[] = "/bytes/";
	const char *digits = target + strlen(prefix);
	size_t len, value;

	if (strncmp(target, prefix, strlen(prefix)) != 0)
		return false;
	len = strspn(digits, "0123456789");
	if (!len || len > 8 || digits[len])
		return false;
	value = strtoul(digits, NULL, 10);
	if (value > RESPONSE_BODY_MAX_BYTES)
		return false;
	*ret_body_bytes = value;
	return true;
}

static struct response *response_route(struct server *srv, const struct http_request *request)
{
	bool is_closing = !request->is_keep_alive;
	size_t body_bytes;

	if (target_size(request->target, &body_bytes))
		return cache_get(&srv->cache, body_bytes, is_closing);
	if (!strcmp(request->target, "/stats"))
		return response_stats(srv, is_closing);
	return response_error(&status_missing, is_closing);
}

/* Request bodies are not read, so whatever announces one also ends the connection. */
static struct response *response_choose(struct server *srv, enum http_result result,
					const struct http_request *request)
{
	if (result == HTTP_BAD)
		return response_error(&status_bad, true);
	if (result == HTTP_TOO_LARGE)
		return response_error(&status_large, true);
	if (request->method == HTTP_OTHER)
		return response_error(&status_method, request->has_body || !request->is_keep_alive);
	if (request->has_body)
		return response_error(&status_bad, true);
	return response_route(srv, request);
}

/* Read the body `passes` times: the work of making a page, proportional to its size. */
static void response_work(const struct response *r, long passes)
{
	unsigned char sum = 0;

	for (long pass = 0; pass < passes; pass++) {
		for (size_t i = r->head_bytes; i < r->total_bytes; i++)
			sum = (unsigned char)(sum * 31 + (unsigned char)r->bytes[i]);
	}
	__asm__ volatile("" : : "r"(sum)); /* or the compiler drops the work */
}

int response_make(struct server *srv, enum http_result result, const struct http_request *request,
		  const struct response **ret_response)
{
	const struct response *r = response_choose(srv, result, request);

	if (!r)
		return -ENOMEM;
	if (srv->settings.work)
		response_work(r, srv->settings.work);
	*ret_response = r;
	return 0;
}

void response_put(const struct response *response)
{
	if (response && !response->is_shared)
		free((void *)response);
}
