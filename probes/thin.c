/* SPDX-License-Identifier: MIT */
#include "thin.h"

int thin_is_busy(const struct thin_facts *from, const struct thin_facts *to)
{
	uint64_t waits = to->waits - from->waits;

	return waits && to->now_ns >= from->now_ns &&
	       to->now_ns - from->now_ns < waits * THIN_BUSY_NS;
}

int thin_is_saturated(const struct thin_facts *from, const struct thin_facts *to)
{
	uint64_t waits = to->waits - from->waits;

	if (!from->has_switches || !to->has_switches || !thin_is_busy(from, to))
		return 0;
	return (to->sleeps - from->sleeps) * THIN_AWAKE <= waits ||
	       (to->preemptions - from->preemptions) * THIN_PREEMPTED >= waits;
}
