/* SPDX-License-Identifier: MIT */
#include "gather.h"

static void begin(struct gather *g, enum gather_state state, const struct gather_sample *sample,
		  uint64_t for_ns)
{
	g->state = (uint32_t)state;
	g->from = *sample;
	g->until_ns = sample->now_ns + for_ns;
}

static void give_up(struct gather *g, const struct gather_sample *sample)
{
	begin(g, GATHER_OFF, sample, GATHER_OFF_NS << g->failures);
	if (g->failures < GATHER_OFF_MAX)
		g->failures++;
}

static int is_thin(const struct gather *g, const struct gather_sample *s)
{
	uint64_t waits = s->waits - g->from.waits;

	return waits && s->events - g->from.events < waits * GATHER_THIN &&
	       s->now_ns - g->from.now_ns < waits * GATHER_BUSY_NS;
}

static void add_turn(struct gather_sample *sum, const struct gather_sample *from,
		     const struct gather_sample *to)
{
	sum->now_ns += to->now_ns - from->now_ns;
	sum->waits += to->waits - from->waits;
	sum->events += to->events - from->events;
	/* A thread that has just ended may be in neither place it is counted. */
	sum->work += to->work > from->work ? to->work - from->work : 0;
}

/* a/b as a share of c/d, in 1/1000. Doubles: products of four counters overflow 64 bits. */
static int is_at_least(uint64_t a, uint64_t b, uint64_t c, uint64_t d, unsigned permille)
{
	return b && d && (double)a * (double)d * 1000.0 >= (double)c * (double)b * permille;
}

static int has_paid(const struct gather *g)
{
	return g->losses <= GATHER_LOSSES &&
	       is_at_least(g->nap.events, g->nap.waits, g->plain.events, g->plain.waits,
			   GATHER_MORE_PERMILLE) &&
	       is_at_least(g->nap.work, g->nap.now_ns, g->plain.work, g->plain.now_ns,
			   GATHER_GAIN_PERMILLE);
}

static void begin_trial(struct gather *g, const struct gather_sample *sample)
{
	g->turns = g->losses = 0;
	g->plain = g->nap = (struct gather_sample){ 0, 0, 0, 0 };
	begin(g, GATHER_PLAIN, sample, GATHER_ARM_NS);
}

void gather_probed(struct gather *g, uint64_t ns, const struct gather_sample *sample)
{
	g->contended += ns >= GATHER_CONTENDED_NS;
	if (++g->probes < GATHER_PROBES)
		return;
	if (g->contended < GATHER_CONTENDED)
		give_up(g, sample);
	else
		begin_trial(g, sample);
}

/* The first plain turn has ended and its waits were not thin: no case of ours, and no failure. */
static enum gather_verdict leave_alone(struct gather *g, const struct gather_sample *sample)
{
	begin(g, GATHER_OFF, sample, 0);
	return g->was_on ? GATHER_NOT_THIN : GATHER_GO_ON;
}

static enum gather_verdict end_turn(struct gather *g, const struct gather_sample *sample)
{
	struct gather_sample turn = { 0, 0, 0, 0 };

	add_turn(&turn, &g->from, sample);
	add_turn(g->state == GATHER_NAP ? &g->nap : &g->plain, &g->from, sample);
	if (g->state == GATHER_PLAIN)
		g->last = turn;
	else if (!is_at_least(turn.work, turn.now_ns, g->last.work, g->last.now_ns, 1000))
		g->losses++;
	if (++g->turns < 2 * GATHER_PAIRS && g->losses <= GATHER_LOSSES) {
		begin(g, g->state == GATHER_NAP ? GATHER_PLAIN : GATHER_NAP, sample, GATHER_ARM_NS);
		return GATHER_GO_ON;
	}
	if (!has_paid(g)) {
		give_up(g, sample);
		return GATHER_GIVEN_UP;
	}
	g->failures = 0;
	begin(g, GATHER_ON, sample, GATHER_ON_NS);
	return GATHER_PAYS;
}

enum gather_verdict gather_look(struct gather *g, const struct gather_sample *sample,
				int is_forced)
{
	int is_over = sample->now_ns >= g->until_ns;

	switch ((enum gather_state)g->state) {
	case GATHER_OFF:
		if (!is_over || !is_thin(g, sample)) {
			g->from = *sample;
			break;
		}
		g->probes = g->contended = 0;
		g->was_on = 0;
		begin(g, is_forced ? GATHER_ON : GATHER_PROBE, sample, GATHER_ON_NS);
		break;
	case GATHER_PROBE:
		break;
	case GATHER_PLAIN:
	case GATHER_NAP:
		if (sample->now_ns - g->from.now_ns > GATHER_LATE_NS)
			begin(g, GATHER_OFF, sample, is_forced ? 0 : GATHER_OFF_NS);
		else if (is_over && !g->turns && !is_thin(g, sample))
			return leave_alone(g, sample);
		else if (is_over && is_forced)
			begin(g, GATHER_ON, sample, GATHER_ON_NS);
		else if (is_over)
			return end_turn(g, sample);
		break;
	case GATHER_ON:
		if (!is_over)
			break;
		begin_trial(g, sample);
		g->was_on = 1;
		break;
	}
	return GATHER_GO_ON;
}
