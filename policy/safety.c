/* SPDX-License-Identifier: MIT */
#include "safety.h"

uint64_t safety_grant(uint64_t from, uint64_t to, uint64_t left)
{
	uint64_t want = to > from ? to - from : 0;

	if (want <= left)
		return to;
	return left >= want / 2 && left ? from + left : 0;
}
