/* SPDX-License-Identifier: MIT */
/*
 * Responses as blocks of bytes: head and body side by side, so that one write() can carry both.
 *
 * A /bytes/N response is made once and shared by all connections, read-only, until the process
 * ends; otherwise filling it would cost more than sending it. The cache never evicts, which makes
 * it lock-free with nothing but a compare-and-swap: what finds no room (more sizes than slots, or
 * more bytes than the budget) is made for one request and freed after it.
 */
#ifndef REACTOR_RESPONSE_H
#define REACTOR_RESPONSE_H

#include "http.h"

#define RESPONSE_BODY_MAX_BYTES	 (64UL << 20)
#define RESPONSE_CACHE_SLOTS	 64 /* SPECweb has 36 sizes */
#define RESPONSE_CACHE_MAX_BYTES (256UL << 20)

struct server;

/* Immutable once returned. The bytes are head_bytes of head, then the body up to total_bytes. */
struct response {
	size_t head_bytes;
	size_t total_bytes;
	bool is_closing; /* says "Connection: close", and the connection must be */
	bool is_error;	 /* status 4xx */
	bool is_shared;	 /* belongs to the cache */
	char bytes[];
};

struct response_cache {
	struct response *slots[RESPONSE_CACHE_SLOTS]; /* NULL, then written once */
	size_t used_bytes;
};

/*
 * The answer to what the parser returned (not HTTP_MORE). 0 or -ENOMEM. Any thread. The caller
 * gives it back with response_put, which ends every use of its bytes.
 */
int response_make(struct server *srv, enum http_result result, const struct http_request *request,
		  const struct response **ret_response);
void response_put(const struct response *response);

/* Free all shared responses. Only when no connection is left. */
void response_cache_clear(struct response_cache *cache);

#endif
