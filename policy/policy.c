/* SPDX-License-Identifier: MIT */
#include "policy.h"
#include "safety.h"

static int is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

int policy_wants_look(uint64_t stalls, uint32_t tries)
{
	return tries > 1 ? is_power_of_two(tries) || tries == POLICY_SPIN_TRIES
			 : is_power_of_two(stalls);
}

/* Unsent data below an eighth of the queue: the network had taken nearly all there was. */
static int is_buffer_limited(const struct policy_facts *f)
{
	return f->unsent < f->queued / 8 || f->sndbuf_limited_us > 0;
}

#define OVERHEAD_LEAST 20 /* 1.25: covers what was measured on 64 KB segments */
#define OVERHEAD_MOST 64

uint32_t policy_overhead(const struct policy_facts *f)
{
	uint64_t overhead = f->overhead;

	if (f->payload >= 8192 && f->queued >= f->sndbuf / 2)
		overhead = f->queued * 16 / f->payload;
	if (overhead < OVERHEAD_LEAST)
		return OVERHEAD_LEAST;
	return overhead > OVERHEAD_MOST ? OVERHEAD_MOST : (uint32_t)overhead;
}

/* Room for all that is queued and all that is still to come. */
static uint64_t wanted_size(const struct policy_facts *f)
{
	uint64_t need = f->queued + f->queued / 4 + 65536 + f->remaining * policy_overhead(f) / 16;

	return need > 2 * f->sndbuf ? need : 2 * f->sndbuf;
}

static struct policy_verdict refuse(enum policy_reason reason)
{
	return (struct policy_verdict){ POLICY_DO_NONE, reason, 0 };
}

static struct policy_verdict grow(const struct policy_facts *f, const struct policy_limits *l,
				  enum policy_reason reason)
{
	uint64_t target = wanted_size(f);
	uint64_t ceiling = l->sndbuf_max < l->kernel_max ? l->sndbuf_max : l->kernel_max;

	if (target > ceiling)
		target = ceiling;
	if (target <= f->sndbuf + f->sndbuf / 8) /* not worth a call */
		return refuse(POLICY_AT_MAXIMUM);
	/* Without the unlock our size is final: it must not lie below what tuning would reach. */
	if (f->is_tcp && !l->can_unlock && !f->is_host_fixed && target < l->autotune_max) {
		if (ceiling < l->autotune_max)
			return refuse(POLICY_CANNOT_UNLOCK);
		target = l->autotune_max;
	}
	target = safety_grant(f->sndbuf, target, l->budget_left);
	if (!target)
		return refuse(POLICY_NO_BUDGET);
	return (struct policy_verdict){ POLICY_DO_GROW, reason, target };
}

/* What forbids growth, whatever the cause of the stall; POLICY_NONE: nothing does. */
static enum policy_reason forbidden(const struct policy_facts *f, const struct policy_limits *l)
{
	if (!f->is_tcp && !f->is_unix)
		return POLICY_NOT_GROWABLE;
	if (l->is_observing)
		return POLICY_OBSERVING;
	if (f->has_lowat)
		return POLICY_HOST_LOWAT;
	return f->is_host_fixed && !l->may_override ? POLICY_HOST_FIXED : POLICY_NONE;
}

struct policy_verdict policy_stall(const struct policy_facts *f, const struct policy_limits *l)
{
	enum policy_reason no = forbidden(f, l);

	if (no != POLICY_NONE)
		return refuse(no);
	if (f->tries >= POLICY_SPIN_TRIES)
		return grow(f, l, POLICY_GREW_SPIN);
	if (f->is_tcp && is_buffer_limited(f))
		return grow(f, l, POLICY_GREW_BUFFER_LIMITED);
	if (l->is_forced)
		return grow(f, l, POLICY_GREW_FORCED);
	if (f->is_unix || f->rwnd_limited_us > f->busy_us / 2)
		return refuse(POLICY_RECEIVER_LIMITED);
	return refuse(f->busy_us ? POLICY_NETWORK_LIMITED : POLICY_UNCLEAR);
}

/* What is known of the class, or an eighth: the packets' overhead at the usual segment sizes. */
static uint32_t usual_overhead(const struct policy_facts *f)
{
	return f->overhead ? policy_overhead(f) : 18;
}

int policy_fits(const struct policy_facts *f)
{
	return f->queued + f->remaining * usual_overhead(f) / 16 <= f->sndbuf;
}

uint64_t policy_room(const struct policy_facts *f)
{
	return f->sndbuf * 16 / usual_overhead(f);
}

int policy_window_may_open(const struct policy_facts *f, uint32_t turns)
{
	return f->is_tcp && turns < POLICY_OPENING_TURNS && f->min_rtt_us &&
	       f->min_rtt_us <= POLICY_NEAR_US &&
	       f->peer_window / POLICY_OPENING_SEGMENTS >= f->segment && f->remaining > f->peer_window &&
	       f->remaining <= 2 * (uint64_t)f->peer_window;
}

struct policy_verdict policy_ahead(const struct policy_facts *f, const struct policy_limits *l,
				   int is_by_class)
{
	enum policy_reason no = forbidden(f, l);

	if (no != POLICY_NONE)
		return refuse(no);
	return grow(f, l, is_by_class ? POLICY_GREW_AHEAD_CLASS : POLICY_GREW_AHEAD_LENGTH);
}
