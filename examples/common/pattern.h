/* SPDX-License-Identifier: MIT */
/*
 * What the demo server sends as the body of /bytes/N and what the load client expects there.
 *
 *	mix(x)     = x * 131 + (x >> 8) * 17 + (x >> 16) * 29 + (x >> 24) * 53
 *	byte(i, N) = (mix(i) + mix(N)) & 0xff		for 0 <= i < N, N the length of the body
 *
 * The terms above i * 131 are there because write bugs lose or repeat round amounts: with
 * i * 131 alone the body would repeat every 256 bytes, with the second term every 65 536. Now it
 * repeats only after 4 GB. N is mixed too, since the usual sizes are all multiples of 256 (or of
 * 1000) and bytes of another response, sent on the wrong socket, must differ at the same offset.
 */
#ifndef EXAMPLES_COMMON_PATTERN_H
#define EXAMPLES_COMMON_PATTERN_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t pattern_mix(uint64_t x)
{
	return x * 131 + (x >> 8) * 17 + (x >> 16) * 29 + (x >> 24) * 53;
}

static inline unsigned char pattern_byte(uint64_t at, uint64_t body_bytes)
{
	return (unsigned char)(pattern_mix(at) + pattern_mix(body_bytes));
}

/* Write the whole body of body_bytes bytes to ret_body. Block by block: inside 256 aligned bytes
 * only the first term moves, which the compiler turns into vector code. */
static inline void pattern_fill(unsigned char *ret_body, size_t body_bytes)
{
	for (size_t at = 0; at < body_bytes; at += 256) {
		size_t len = body_bytes - at < 256 ? body_bytes - at : 256;
		unsigned char base = pattern_byte(at, body_bytes);

		for (size_t i = 0; i < len; i++)
			ret_body[at + i] = (unsigned char)(base + i * 131);
	}
}

#endif
