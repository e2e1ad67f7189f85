/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board.h"
#include "chance.h"

static const uint8_t *ring;

int ring_create(void)
{
	int fd = memfd_create("ring", 0);
	uint8_t *to;

	MUST(fd >= 0 && ftruncate(fd, (off_t)RING_BYTES) == 0);
	to = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(to != MAP_FAILED);
	for (size_t i = 0; i < RING_BYTES; i += 8) {
		uint64_t word = chance(i, 0x52494e47);

		/* 0xf? becomes 0x7?: block bytes must not occur. */
		for (int b = 0; b < 8; b++)
			to[i + (size_t)b] =
				(uint8_t)(word >> 8 * b) >= 0xf0 ? 0x70 : (uint8_t)(word >> 8 * b);
	}
	munmap(to, RING_BYTES);
	return fd;
}

void ring_attach(int fd)
{
	uint8_t *at = mmap(NULL, 2 * RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(at != MAP_FAILED);
	for (int half = 0; half < 2; half++)
		MUST(mmap(at + (size_t)half * RING_BYTES, RING_BYTES, PROT_READ,
			  MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	ring = at;
}

static size_t start_of(uint32_t stream)
{
	return chance(stream, 0x53545245) % RING_BYTES;
}

const uint8_t *pattern(uint32_t stream, uint64_t pos)
{
	return ring + (start_of(stream) + pos) % RING_BYTES;
}

off_t pattern_file(uint32_t stream, uint64_t pos, size_t *ret_room)
{
	size_t at = (start_of(stream) + pos) % RING_BYTES;

	*ret_room = RING_BYTES - at;
	return (off_t)at;
}

ssize_t pattern_check(uint32_t stream, uint64_t pos, const uint8_t *buf, size_t n)
{
	const uint8_t *want = pattern(stream, pos);

	if (memcmp(want, buf, n) == 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (buf[i] != want[i])
			return (ssize_t)i;
	return -1;
}

void pattern_explain(uint32_t stream, uint64_t pos, const uint8_t *wrong, size_t n, char *text,
		     size_t room)
{
	const uint8_t *found =
		n >= 8 ? memmem(ring, RING_BYTES + 64, wrong, n < 24 ? n : 24) : NULL;
	size_t at, own;

	if (!found) {
		snprintf(text, room, "%zu bytes of no stream", n);
		return;
	}
	at = (size_t)(found - ring) % RING_BYTES;
	own = (at + RING_BYTES - start_of(stream)) % RING_BYTES;
	if (own < pos) {
		snprintf(text, room, "the stream's bytes of %zu again (doubled %llu back)", own,
			 (unsigned long long)(pos - own));
		return;
	}
	if (own < pos + (1 << 22)) {
		snprintf(text, room, "the stream's bytes of %zu (%llu lost)", own,
			 (unsigned long long)(own - pos));
		return;
	}
	for (uint32_t other = 0; other < MAX_CONNS; other++) {
		size_t p = (at + RING_BYTES - start_of(other)) % RING_BYTES;

		if (p <= board->host[other].told + (1 << 22)) {
			snprintf(text, room, "bytes of connection %u, position %zu", other, p);
			return;
		}
	}
	snprintf(text, room, "bytes of the ring at %zu", at);
}

void block_fill(uint32_t k, uint8_t block[BLOCK_BYTES])
{
	for (uint32_t i = 0; i < BLOCK_BYTES; i++)
		block[i] = (uint8_t)(0xf0 | (chance(k, i) & 15));
	block[0] = (uint8_t)(0xf0 | (k & 15));
}
