/* SPDX-License-Identifier: MIT */
#include "class.h"

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

void class_response(struct class_memory *m, uint64_t bytes)
{
	if (bytes >= m->need_bytes)
		m->need_bytes = bytes;
	else
		m->need_bytes -= (m->need_bytes - bytes) / 8;
}

void class_overhead(struct class_memory *m, uint32_t overhead)
{
	if (overhead >= m->overhead)
		m->overhead = overhead;
	else
		m->overhead -= (m->overhead - overhead + 7) / 8;
}

static void raise(uint32_t *score, uint32_t *other)
{
	*score += *score < CLASS_SCORE_MAX;
	*other = 0;
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
	*mean = *mean ? *mean - *mean / 8 + value / 8 : value;
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
	if (m->first_turns >= UINT32_MAX / 2) {
		m->first_turns /= 2;
		m->later_turns /= 2;
	}
	m->first_turns += turn == 1;
	m->later_turns += turn == 2;
}

int class_keeps_connections(const struct class_memory *m)
{
	return m->first_turns < CLASS_TRUSTED || m->later_turns >= m->first_turns / 2;
}

int class_would_block(const struct class_memory *m, int thread_spins)
{
	return thread_spins && m->spin_score >= CLASS_BELIEVE;
}

enum class_treatment class_treatment(struct class_memory *m, int thread_spins)
{
	if (class_would_block(m, thread_spins)) {
		if (++m->treated % CLASS_PROBE_EVERY == 0)
			return CLASS_LEAVE;
		return CLASS_BLOCK;
	}
	/* Waiting in place for less than the trip costs is never worse than twice the best. */
	if (m->yield_score >= CLASS_BELIEVE && m->drain_ns && m->trip_ns &&
	    m->drain_ns < m->trip_ns) {
		if (++m->treated % CLASS_PROBE_EVERY == 0)
			return CLASS_LEAVE;
		return CLASS_SPIN;
	}
	return CLASS_LEAVE;
}
