/* SPDX-License-Identifier: MIT */
#include "class.h"

#include "../shim/atomic.h"

uint32_t class_bucket(uint64_t bytes)
{
	return bytes ? 63 - (uint32_t)__builtin_clzll(bytes) : 0;
}

uint32_t class_hash(const struct class_key *key, uint32_t size)
{
	/* Fibonacci hashing (Knuth 6.4) of the four together. */
	uint64_t mixed = key->site ^ key->path ^ (uint64_t)key->port << 44 ^ (uint64_t)key->bucket << 38;

	return (uint32_t)((mixed * 0x9e3779b97f4a7c15ull) >> 40) & (size - 1);
}

/* Each estimate is read once and written once: another thread's change in between is lost, but
 * what is written never comes from two different states. */
void class_response(struct class_memory *m, uint64_t bytes)
{
	uint64_t need = load_relaxed(&m->need_bytes);

	store_relaxed(&m->need_bytes, bytes >= need ? bytes : need - (need - bytes) / 8);
}

void class_overhead(struct class_memory *m, uint32_t overhead)
{
	uint32_t known = load_relaxed(&m->overhead);

	store_relaxed(&m->overhead,
		      overhead >= known ? overhead : known - (known - overhead + 7) / 8);
}

static void raise(uint32_t *score, uint32_t *other)
{
	uint32_t known = load_relaxed(score);

	store_relaxed(score, known + (known < CLASS_SCORE_MAX));
	store_relaxed(other, 0);
}

void class_spun(struct class_memory *m)
{
	raise(&m->spin_score, &m->yield_score);
}

void class_yielded(struct class_memory *m)
{
	raise(&m->yield_score, &m->spin_score);
}

/* Mean of about the last eight. */
static void follow(uint64_t *mean, uint64_t value)
{
	uint64_t known = load_relaxed(mean);

	store_relaxed(mean, known ? known - known / 8 + value / 8 : value);
}

void class_drained(struct class_memory *m, uint64_t drain_ns)
{
	follow(&m->drain_ns, drain_ns);
}

void class_tripped(struct class_memory *m, uint64_t trip_ns)
{
	follow(&m->trip_ns, trip_ns);
}

void class_opening(struct class_memory *m, uint32_t turn)
{
	uint32_t first = load_relaxed(&m->first_turns), later = load_relaxed(&m->later_turns);

	if (first >= UINT32_MAX / 2) {
		first /= 2;
		later /= 2;
	}
	store_relaxed(&m->first_turns, first + (turn == 1));
	store_relaxed(&m->later_turns, later + (turn == 2));
}

int class_keeps_connections(const struct class_memory *m)
{
	uint32_t first = load_relaxed(&m->first_turns);

	return first < CLASS_TRUSTED || load_relaxed(&m->later_turns) >= first / 2;
}

int class_would_block(const struct class_memory *m, int thread_spins)
{
	return thread_spins && load_relaxed(&m->spin_score) >= CLASS_BELIEVE;
}

/* Is this stall one of those that are handed to the host untreated? */
static int is_probe(struct class_memory *m)
{
	uint32_t treated = load_relaxed(&m->treated) + 1;

	store_relaxed(&m->treated, treated);
	return treated % CLASS_PROBE_EVERY == 0;
}

enum class_treatment class_treatment(struct class_memory *m, int thread_spins)
{
	uint64_t drain_ns = load_relaxed(&m->drain_ns);

	if (class_would_block(m, thread_spins))
		return is_probe(m) ? CLASS_LEAVE : CLASS_BLOCK;
	/* Waiting in place for less than the trip costs is never worse than twice the best. */
	if (load_relaxed(&m->yield_score) >= CLASS_BELIEVE && drain_ns &&
	    drain_ns < load_relaxed(&m->trip_ns))
		return is_probe(m) ? CLASS_LEAVE : CLASS_SPIN;
	return CLASS_LEAVE;
}
