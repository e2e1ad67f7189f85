/* SPDX-License-Identifier: MIT */
/*
 * Chance without state: every decision is a hash of the seed, of what is being decided, and of
 * where in the stream it is decided. So two processes make the same program of the same seed, and
 * a call that is retried is the same call again, however often other threads have drawn meanwhile.
 */
#ifndef DIFFERENTIAL_CHANCE_H
#define DIFFERENTIAL_CHANCE_H

#include <stdint.h>

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014) over both inputs. */
static inline uint64_t chance(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15u + b + 0x632be59bd9b4e019u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* A draw that changes with every use of the same cursor. */
static inline uint64_t chance_next(uint64_t *cursor)
{
	uint64_t draw = chance(*cursor, 1);

	++*cursor;
	return draw;
}

/* 0 … n - 1 */
static inline uint32_t chance_below(uint64_t draw, uint32_t n)
{
	return (uint32_t)((draw >> 16) % n);
}

/* low … high */
static inline uint32_t chance_range(uint64_t draw, uint32_t low, uint32_t high)
{
	return low + chance_below(draw, high - low + 1);
}

#endif
