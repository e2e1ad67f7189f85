/* SPDX-License-Identifier: MIT */
/*
 * Responses made once and shared by all connections, read-only, until the process ends; otherwise
 * filling one would cost more than sending it.
 *
 * The cache never evicts, which makes it lock-free with nothing but a compare-and-swap: what finds
 * no room (more names than slots, or more bytes than the budget) is made for one request and freed
 * after it. A file that was written to is another response, beside the old one.
 *
 * Shared by all copies (--shared-cache) it lies, with the bytes of its responses, in one mapping
 * made before the first fork, so that pointers mean the same everywhere. The paper's servers share
 * their open descriptors too, by clone(); here the contents are shared instead: a descriptor
 * opened after a fork is the other copies' only at the price of one table for all descriptors,
 * connections included.
 */
#ifndef REACTOR_CACHE_H
#define REACTOR_CACHE_H

#include "response.h"

#define CACHE_SLOTS	1024
#define CACHE_TRIES	64 /* slots looked at for one name; SPECweb has 36 sizes */
#define CACHE_MAX_BYTES (256UL << 20)

struct cache {
	struct response *slots[CACHE_SLOTS]; /* NULL, then written once */
	size_t used_bytes;		     /* of CACHE_MAX_BYTES */
	size_t entries;			     /* both atomic */
	bool is_shared;
	char arena[] __attribute__((aligned(16))); /* of CACHE_MAX_BYTES, where it is shared */
};

/* Empty; NULL: out of memory. Unmap frees all responses: only when no connection is left. */
struct cache *cache_map(bool is_shared);
void cache_unmap(struct cache *cache);

/* What has the name, is that version of it and ends connections or does not; or NULL. */
struct response *cache_find(const struct cache *cache, const char *name, const struct file_id *id,
			    bool is_closing);

/* Hand in a response that cache_find did not find. What the caller is to use from now on: r, or in
 * a shared cache a copy of it, and then r is freed. */
struct response *cache_offer(struct cache *cache, struct response *r);

/* Its size as JSON members, each starting with a comma. Any thread. */
void cache_print(const struct cache *cache, FILE *out);

#endif
