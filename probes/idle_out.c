/* SPDX-License-Identifier: MIT */
#include "idle_out.h"

#include "wakeup.h"

enum idle_out_before idle_out_before(const struct idle_out *s, int set, uint64_t io_calls,
				     uint64_t enter_ns)
{
	if (!s->return_ns || s->set != set)
		return IDLE_OUT_NONE;
	return s->io_calls == io_calls && enter_ns >= s->return_ns &&
			       enter_ns - s->return_ns < s->pause_ns
		       ? IDLE_OUT_UNUSED
		       : IDLE_OUT_USED;
}

void idle_out_returned(struct idle_out *s, int set, unsigned outs, uint64_t io_calls,
		       uint64_t now_ns)
{
	s->return_ns = outs ? now_ns : 0;
	s->pause_ns = WAKEUP_PAUSE_NS + outs * IDLE_OUT_EVENT_NS;
	s->io_calls = io_calls;
	s->set = set;
}
