/* SPDX-License-Identifier: MIT */
#include "control.h"

long control_threads(struct control_threads *c, const struct control_sample *s, int64_t now_ns)
{
	if (s->idle_threads > 0) {
		if (!c->is_idle)
			c->idle_since_ns = now_ns;
		c->is_idle = true;
		if (s->threads < 2 || now_ns - c->idle_since_ns < CONTROL_IDLE_NS)
			return 0;
		c->idle_since_ns = now_ns; /* one at a time: the next has its own time */
		return -1;
	}
	c->is_idle = false;
	return s->queue_length >= CONTROL_QUEUE_ADD && s->threads < c->threads_max ? 1 : 0;
}

/* By an eighth, and by one at least. */
static long batch_step(long size)
{
	return size / 8 + 1;
}

static long batch_choose(struct control_batch *c)
{
	if (c->rate < c->rate_best / 2) {
		c->rate_best = c->rate;
		return CONTROL_BATCH_MAX;
	}
	/* A sixteenth less is noise: rates of a steady load were seen to move that much. */
	if (c->rate < c->rate_best - c->rate_best / 16)
		return c->size + batch_step(c->size);
	return c->size - batch_step(c->size);
}

long control_batch(struct control_batch *c, const struct control_sample *s)
{
	long done = (long)(s->completed - c->completed);

	c->completed = s->completed;
	if (!c->size)
		c->size = CONTROL_BATCH_MAX;
	if (!done)
		return c->size; /* nothing to do says nothing about batches */
	c->rate = c->rate ? c->rate + (done * 16 - c->rate) / 4 : done * 16;
	c->rate_best -= c->rate_best / 64;
	c->size = batch_choose(c);
	if (c->rate > c->rate_best)
		c->rate_best = c->rate;
	if (c->size < 1)
		c->size = 1;
	if (c->size > CONTROL_BATCH_MAX)
		c->size = CONTROL_BATCH_MAX;
	return c->size;
}
