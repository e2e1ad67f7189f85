/* SPDX-License-Identifier: MIT */
#include "safety.h"

uint64_t safety_grant(uint64_t from, uint64_t to, uint64_t left)
{
	uint64_t want = to > from ? to - from : 0, share = left / SAFETY_SHARE;

	if (want <= share)
		return to;
	return share >= want / 2 && share ? from + share : 0;
}
