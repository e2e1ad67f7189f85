/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct cache *cache_map(bool is_shared)
{
	struct cache *cache;

	if (!is_shared)
		return calloc(1, sizeof(*cache));
	cache = mmap(NULL, sizeof(*cache) + CACHE_MAX_BYTES, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cache == MAP_FAILED)
		return NULL;
	cache->is_shared = true;
	return cache;
}

void cache_unmap(struct cache *cache)
{
	if (!cache)
		return;
	if (cache->is_shared) {
		munmap(cache, sizeof(*cache) + CACHE_MAX_BYTES);
		return;
	}
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		response_free(cache->slots[i]);
	free(cache);
}

/* Fibonacci hashing: the usual sizes are round, their low bits all alike. */
static size_t cache_hash(const char *name, size_t bytes, bool is_closing)
{
	size_t hash = bytes * 2 + is_closing;

	for (; *name; name++)
		hash = hash * 31 + (unsigned char)*name;
	return hash * 0x9e3779b97f4a7c15UL >> 32;
}

static bool response_is(const struct response *r, const char *name, const struct file_id *id,
			bool is_closing)
{
	return r->is_closing == is_closing && file_is_same(&r->id, id) && !strcmp(r->name, name);
}

struct response *cache_find(const struct cache *cache, const char *name, const struct file_id *id,
			    bool is_closing)
{
	size_t at = cache_hash(name, id->bytes, is_closing);

	for (int i = 0; i < CACHE_TRIES; i++, at++) {
		/* Acquire pairs with the publication in cache_publish. */
		struct response *r =
			__atomic_load_n(&cache->slots[at % CACHE_SLOTS], __ATOMIC_ACQUIRE);

		if (!r || response_is(r, name, id, is_closing))
			return r;
	}
	return NULL;
}

/* Into the first empty slot on its way; false: there is none. Two threads that make the same at
 * once may put it in twice: the second is never found, and only costs its room. */
static bool cache_publish(struct cache *cache, struct response *r)
{
	size_t at = cache_hash(r->name, r->id.bytes, r->is_closing);

	for (int i = 0; i < CACHE_TRIES; i++, at++) {
		struct response *empty = NULL;

		if (!__atomic_compare_exchange_n(&cache->slots[at % CACHE_SLOTS], &empty, r, false,
						 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			continue;
		__atomic_add_fetch(&cache->entries, 1, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

/* Bytes of the response in memory, rounded so that the next one in the arena is aligned. */
static size_t cache_room(const struct response *r)
{
	size_t bytes = sizeof(*r) + (r->fd < 0 ? r->total_bytes : r->head_bytes);

	return (bytes + 63) & ~(size_t)63;
}

/* A response that is in nobody's hands but ours, to be published: in the arena, at the offset. */
static struct response *cache_copy(struct cache *cache, size_t offset, const struct response *r)
{
	struct response *copy = (void *)(cache->arena + offset);

	memcpy(copy, r, sizeof(*r) + r->total_bytes);
	return copy;
}

static bool cache_reserve(struct cache *cache, size_t room, size_t *ret_offset)
{
	size_t used = __atomic_add_fetch(&cache->used_bytes, room, __ATOMIC_RELAXED);

	*ret_offset = used - room;
	if (used <= CACHE_MAX_BYTES)
		return true;
	__atomic_sub_fetch(&cache->used_bytes, room, __ATOMIC_RELAXED);
	return false;
}

struct response *cache_offer(struct cache *cache, struct response *r)
{
	struct response *candidate;
	size_t offset;

	/* A descriptor of this process says nothing to another. */
	if (cache->is_shared && r->fd >= 0)
		return r;
	if (!cache_reserve(cache, cache_room(r), &offset))
		return r;
	candidate = cache->is_shared ? cache_copy(cache, offset, r) : r;
	candidate->is_shared = true;
	if (cache_publish(cache, candidate)) {
		if (candidate != r)
			response_free(r);
		return candidate;
	}
	/* Room in an arena is not given back: somebody may have taken what follows it. */
	r->is_shared = false;
	if (!cache->is_shared)
		__atomic_sub_fetch(&cache->used_bytes, cache_room(r), __ATOMIC_RELAXED);
	return r;
}

void cache_print(const struct cache *cache, FILE *out)
{
	fprintf(out, ",\"cache\":{\"shared\":%s,\"entries\":%zu,\"bytes\":%zu}",
		cache->is_shared ? "true" : "false",
		__atomic_load_n(&cache->entries, __ATOMIC_RELAXED),
		__atomic_load_n(&cache->used_bytes, __ATOMIC_RELAXED));
}
