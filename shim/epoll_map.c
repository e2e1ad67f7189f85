/* SPDX-License-Identifier: MIT */
#include "epoll_map.h"

#include "fdtable.h"
#include "sys.h"

#include <sys/mman.h>

/* 256 KB, mapped at the first registration whose data is not the descriptor number itself. */
#define MAP_ENTRIES 65536
#define MAP_WAYS 4

static int32_t *map; /* descriptor + 1 per entry, 0: empty */

/*
 * What was ever registered by calls we saw, whatever became of it: a set of bits that only grows
 * (Bloom 1970, two bits each). The records remember one registration per number, the latest; this
 * is what tells an event of a forgotten one (a second set, a duplicate that outlives its number,
 * a reused number, an overwritten entry) from one that nobody told us of. It errs in one way:
 * once very many values were used (one in ten at 100 000) a foreign one looks like a known one.
 */
#define SEEN_BITS (1u << 19) /* 64 KB; pages nobody needs are never touched */
static uint64_t seen[SEEN_BITS / 64];

static uint64_t hash_of(int epfd, uint64_t data)
{
	/* Numbers and pointers differ in few bits: folded between two multiplications. */
	uint64_t hash = (data ^ (uint64_t)(unsigned)epfd << 40) * 0x9e3779b97f4a7c15ull;

	return (hash ^ hash >> 29) * 0xd6e8feb86659fd93ull;
}

static void see_bit(uint32_t bit)
{
	uint64_t one = 1ull << bit % 64, *word = &seen[bit % SEEN_BITS / 64];

	/* Locked, so that no bit is lost; only the first time. */
	if (!(load_relaxed(word) & one))
		or_relaxed(word, one);
}

static int has_bit(uint32_t bit)
{
	return (load_relaxed(&seen[bit % SEEN_BITS / 64]) >> bit % 64 & 1) != 0;
}

int epoll_map_has_seen(int epfd, uint64_t data)
{
	uint64_t hash = hash_of(epfd, data);

	return has_bit((uint32_t)hash) && has_bit((uint32_t)(hash >> 32));
}

static uint32_t slot_of(int epfd, uint64_t data)
{
	/* Its bits 32..63 go to `seen` as well, which does not matter: another table. */
	return (uint32_t)(hash_of(epfd, data) >> 48);
}

static int32_t *map_get(void)
{
	int32_t *have = load_acquire(&map), *expected = NULL;
	size_t bytes = MAP_ENTRIES * sizeof(*map);
	long mapped;

	if (have)
		return have;
	mapped = sys_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped < 0 && mapped > -4096)
		return NULL;
	if (cas_acq_rel(&map, &expected, (int32_t *)mapped))
		return (int32_t *)mapped;
	sys_call(SYS_munmap, mapped, bytes, 0, 0, 0, 0);
	return expected;
}

static int is_plain(int fd, uint64_t data)
{
	return (uint32_t)data == (uint32_t)fd;
}

/* Is the entry in this slot still its descriptor's, within the ways of the slot that it hashes to,
 * or left over? */
static int belongs_at(int fd, uint32_t slot)
{
	const struct fdrec *rec = fdtable_find(fd);

	return rec && (slot - slot_of(load_relaxed(&rec->epoll_fd), load_relaxed(&rec->epoll_data))) %
				      MAP_ENTRIES < MAP_WAYS;
}

void epoll_map_note(int epfd, int fd, uint64_t data)
{
	struct fdrec *rec = fdtable_get(fd);
	int32_t *entries;
	uint64_t hash = hash_of(epfd, data);
	uint32_t slot;

	see_bit((uint32_t)hash);
	see_bit((uint32_t)(hash >> 32));
	if (!rec)
		return;
	store_relaxed(&rec->epoll_data, data);
	store_relaxed(&rec->epoll_fd, epfd);
	entries = is_plain(fd, data) ? NULL : map_get();
	if (!entries)
		return;
	slot = slot_of(epfd, data);
	for (unsigned way = 0; way < MAP_WAYS; way++) {
		int32_t *entry = &entries[(slot + way) % MAP_ENTRIES];
		int there = load_relaxed(entry) - 1;

		if (there < 0 || there == fd || !belongs_at(there, slot + way)) {
			store_relaxed(entry, fd + 1);
			return;
		}
	}
	store_relaxed(&entries[slot], fd + 1);
}

int epoll_map_look_up(int epfd, uint64_t data)
{
	const int32_t *entries = load_acquire(&map);
	uint32_t slot = slot_of(epfd, data);

	for (unsigned way = 0; entries && way < MAP_WAYS; way++) {
		int fd = load_relaxed(&entries[(slot + way) % MAP_ENTRIES]) - 1;
		struct fdrec *rec = fd >= 0 ? fdtable_find(fd) : NULL;

		if (epoll_map_is_right(rec, epfd, data))
			return fd;
	}
	return -1;
}
