/* SPDX-License-Identifier: MIT */
/* Seed to world. Whatever is drawn, the world must end natively: that is what the rules here are
 * for, each with its reason. */
#include "hunt.h"

#include <string.h>

struct plan plan;

static uint64_t cursor;

static uint32_t draw(uint32_t n)
{
	return chance_below(chance_next(&cursor), n);
}

static int one_in(uint32_t n)
{
	return draw(n) == 0;
}

static void add_reg(unsigned channel, unsigned set, enum style style)
{
	if (plan.regs == REGS_MAX)
		return;
	plan.reg[plan.regs++] = (struct reg_plan){ .channel = (uint8_t)channel,
						   .set = (uint8_t)set,
						   .style = style,
						   .is_dup = one_in(8),
						   .data_kind = (uint8_t)draw(3) };
}

static void plan_consumer(struct consumer_plan *c)
{
	c->wait = one_in(3) ? (enum wait_kind)draw(POLL_SET + 1) : EPOLL_WAIT;
	c->patience = one_in(2) ? FOR_EVER : (enum patience)draw(2);
	c->room = (uint8_t)(one_in(2) ? 1 + draw(2) : 8);
	c->is_slow = one_in(4);
	c->is_churning = one_in(4);
}

/* Sets made before the fork, some inside others, each outer one with a thread of its own; then
 * more threads, which share a set or poll the descriptors themselves. */
static void plan_threads(void)
{
	unsigned outer[SETS_MAX], outers = 0, threads;

	plan.sets = 1 + draw(4);
	for (unsigned s = 0; s < plan.sets; s++) {
		plan.set[s] = (struct set_plan){ .inside = -1, .owner = -1 };
		if (s && one_in(4))
			plan.set[s].inside = (int8_t)outer[draw(outers)];
		else
			outer[outers++] = s;
	}
	threads = outers + draw(5 - outers);
	for (unsigned t = 0; t < threads; t++) {
		struct consumer_plan *c = &plan.consumer[plan.consumers++];

		plan_consumer(c);
		c->set = (int8_t)(t < outers ? outer[t] : outer[draw(outers)]);
		if (t >= outers && one_in(2)) {
			c->set = -1;
			c->wait = (enum wait_kind)(POLL + draw(3));
		}
	}
}

/*
 * A plain reactor: one thread, one set, each descriptor registered once, level-triggered, and nobody
 * changes that. Such a set the shim may know wholly, and then it waits by other means.
 */
static void plan_reactor(void)
{
	struct consumer_plan *c = &plan.consumer[plan.consumers++];

	plan.set[plan.sets++] = (struct set_plan){ .inside = -1, .owner = -1 };
	plan_consumer(c);
	c->set = 0;
	c->wait = (enum wait_kind)draw(EPOLL_PWAIT2 + 1);
	c->room = 8;
	c->is_churning = 0;
}

/* Processes: on a set of their own for inherited listeners, or on an inherited set. */
static void plan_processes(void)
{
	unsigned processes = one_in(2) ? draw(4) : 0;

	for (unsigned p = 0; p < processes; p++) {
		struct consumer_plan *c = &plan.consumer[plan.consumers];

		plan_consumer(c);
		c->is_process = 1;
		if (one_in(3) && plan.set[0].inside < 0) {
			c->set = 0;
		} else {
			c->set = (int8_t)plan.sets;
			plan.set[plan.sets++] =
				(struct set_plan){ .inside = -1, .owner = (int8_t)plan.consumers };
		}
		plan.consumers++;
	}
}

static unsigned consumers_of(int set)
{
	unsigned n = 0;

	while (plan.set[set].inside >= 0)
		set = plan.set[set].inside;
	for (unsigned c = 0; c < plan.consumers; c++)
		n += plan.consumer[c].set == set;
	return n;
}

static int has_process(int set)
{
	for (unsigned c = 0; c < plan.consumers; c++)
		if (plan.consumer[c].set == set && plan.consumer[c].is_process)
			return 1;
	return 0;
}

/* A set of the main process that no other process waits for. */
static int set_of_threads(void)
{
	for (unsigned tries = 0; tries < 16; tries++) {
		int s = (int)draw(plan.sets),
		    top = plan.set[s].inside >= 0 ? plan.set[s].inside : s;

		if (plan.set[s].owner < 0 && !has_process(top))
			return s;
	}
	return -1;
}

/* Every set that may have it, plain or edge-triggered; herds are what this is for. */
static void plan_listener(unsigned n)
{
	enum style style = (enum style)(one_in(3) ? draw(STYLE_COUNT) : LEVEL);

	for (unsigned s = 0; s < plan.sets; s++)
		if (s == 0 || plan.set[s].owner >= 0 || !one_in(3))
			add_reg(n, s, style);
}

static void plan_channel_at(unsigned n)
{
	struct channel_plan *ch = &plan.channel[n];
	int set;

	ch->kind = one_in(3) ? LISTENER : (enum kind)draw(LISTENER);
	ch->tokens = (uint16_t)(4 + draw(one_in(3) ? TOKENS_MAX - 4 : 16));
	if (ch->kind == SIGNAL) {
		for (unsigned m = 0; m < n; m++)
			if (plan.channel[m].kind == SIGNAL)
				ch->kind = PIPE;
		/* A signalfd gives each process that reads it its own signals. */
		if ((set = set_of_threads()) < 0)
			ch->kind = EVENT;
		else if (ch->kind == SIGNAL)
			add_reg(n, (unsigned)set, (enum style)draw(ONESHOT + 1));
		if (ch->kind == SIGNAL)
			return;
	}
	if (ch->kind == LISTENER) {
		plan_listener(n);
		return;
	}
	add_reg(n, draw(plan.sets), (enum style)draw(STYLE_COUNT));
	if (one_in(4))
		add_reg(n, draw(plan.sets), (enum style)draw(STYLE_COUNT));
	/* The kernel allows one registration per set and number; a second needs a dup, and one
	 * wake-up for both exclusive ones may go to the one whose consumer is told by the other. */
	for (unsigned r = plan.regs - 1; r > 0 && plan.reg[r - 1].channel == n; r--)
		if (plan.reg[r].set == plan.reg[r - 1].set)
			plan.reg[r].is_dup = !plan.reg[r - 1].is_dup;
}

static void register_plainly(void)
{
	unsigned kept = 0;

	for (unsigned r = 0; r < plan.regs; r++) {
		struct reg_plan *reg = &plan.reg[r];

		if (r && reg->channel == plan.reg[r - 1].channel)
			continue;
		reg->style = LEVEL;
		reg->is_dup = 0;
		plan.reg[kept++] = *reg;
	}
	plan.regs = kept;
	plan.channel[0].kind = TCP; /* to be left armed: see plan_answers() */
}

static unsigned regs_of(unsigned channel)
{
	unsigned n = 0;

	for (unsigned r = 0; r < plan.regs; r++)
		n += plan.reg[r].channel == channel;
	return n;
}

static struct reg_plan *first_reg(unsigned channel)
{
	unsigned r = 0;

	while (plan.reg[r].channel != channel)
		r++;
	return &plan.reg[r];
}

static void plan_polled(void)
{
	for (unsigned c = 0; c < plan.consumers; c++)
		for (unsigned n = 0; plan.consumer[c].set < 0 && n < plan.channels; n++)
			if (one_in(3))
				plan.consumer[c].polled |= (uint16_t)(1u << n);
}

static int is_polled(unsigned channel)
{
	for (unsigned c = 0; c < plan.consumers; c++)
		if (plan.consumer[c].polled >> channel & 1)
			return 1;
	return 0;
}

/* Answers need one consumer that knows of what is owed and is told of room. */
static void plan_answers(void)
{
	for (unsigned n = 0; n < plan.channels; n++) {
		struct channel_plan *ch = &plan.channel[n];
		struct reg_plan *r = first_reg(n);

		ch->is_single = regs_of(n) == 1 && !is_polled(n) && consumers_of(r->set) == 1;
		if ((ch->kind != TCP && ch->kind != UNIX_PAIR) || !ch->is_single)
			continue;
		if (one_in(3) && !(plan.is_plain && !n))
			continue;
		r->style = LEVEL;
		ch->answer = (plan.is_plain && !n) || one_in(2) ? LEFT : ARMED;
		ch->is_handed = ch->answer == LEFT && one_in(2);
	}
}

static int has_other_consumer(unsigned channel, unsigned set)
{
	for (unsigned r = 0; r < plan.regs; r++) {
		const struct reg_plan *reg = &plan.reg[r];
		int stays = 0;

		for (unsigned c = 0; c < plan.consumers; c++)
			stays |= plan.consumer[c].set == reg->set &&
				 plan.consumer[c].leaving == STAYS;
		if (reg->channel == channel && reg->set != set && stays)
			return 1;
	}
	return is_polled(channel);
}

/*
 * Who leaves a listener alone in its set, and somebody else stays with it. Natively all watchers
 * are woken; not with the host's own EPOLLEXCLUSIVE, so not there.
 */
static void plan_leavers(void)
{
	for (unsigned c = 0; c < plan.consumers; c++) {
		struct consumer_plan *consumer = &plan.consumer[c];
		int may_leave = consumer->set >= 0 && !one_in(3), others = 0, listeners = 0;

		for (unsigned r = 0; may_leave && r < plan.regs; r++) {
			const struct reg_plan *reg = &plan.reg[r];

			if (reg->set != consumer->set)
				continue;
			others += plan.channel[reg->channel].kind != LISTENER;
			listeners += plan.channel[reg->channel].kind == LISTENER;
			may_leave = plan.channel[reg->channel].kind != LISTENER ||
				    (reg->style != EXCLUSIVE &&
				     has_other_consumer(reg->channel, reg->set));
		}
		for (unsigned s = 0; may_leave && s < plan.sets; s++)
			others += plan.set[s].inside == consumer->set;
		if (!may_leave || !listeners || consumers_of(consumer->set) != 1)
			continue;
		consumer->leaving = others ? (one_in(2) ? UNREGISTERS : DISARMS) : CLOSES_SET;
		consumer->is_churning = 0; /* or it would come back */
	}
}

void plan_make(uint64_t seed)
{
	memset(&plan, 0, sizeof(plan));
	plan.seed = seed;
	/* By itself, so that the other worlds stay what they were when mutants were caught by them. */
	cursor = chance(seed, 0x706c61696e);
	plan.is_plain = one_in(4);
	cursor = chance(seed, 0x68756e74);
	if (plan.is_plain) {
		plan_reactor();
	} else {
		plan_threads();
		plan_processes();
	}
	plan.channels = 1 + draw(CHANNELS_MAX);
	for (unsigned n = 0; n < plan.channels; n++)
		plan_channel_at(n);
	if (plan.is_plain)
		register_plainly();
	plan_polled();
	/* Each process polls its own signals. */
	for (unsigned c = 0; c < plan.consumers; c++)
		for (unsigned n = 0; n < plan.channels; n++)
			if (plan.channel[n].kind == SIGNAL && plan.consumer[c].is_process)
				plan.consumer[c].polled &= (uint16_t) ~(1u << n);
	plan_answers();
	plan_leavers();
	plan.producers = 1 + draw(PRODUCERS_MAX);
	for (unsigned p = 0; p < plan.producers; p++)
		plan.is_process[p] = one_in(3);
	for (unsigned n = 0; n < plan.channels; n++)
		plan.channel[n].producer = (uint8_t)draw(plan.producers);
	plan.has_churner = !plan.is_plain && one_in(2);
	plan.has_signals = one_in(3);
	plan.quiet_ms = one_in(32) ? 400 : 0;
}

static const char *const kinds[] = { "pipe",	  "unix",    "tcp",	 "eventfd",
				     "semaphore", "timerfd", "signalfd", "listener" };

const char *plan_channel(unsigned c)
{
	static char text[320];
	static const char *const styles[] = { "level", "edge", "oneshot", "exclusive" };
	static const char *const answers[] = { "", " answers when armed", " EPOLLOUT left armed" };
	int n = snprintf(text, sizeof(text), "%u %s%s%s%s:", c, kinds[plan.channel[c].kind],
			 answers[plan.channel[c].answer],
			 plan.channel[c].is_handed ? " by flag" : "",
			 plan.channel[c].is_single ? " single" : "");

	for (unsigned r = 0; r < plan.regs; r++)
		if (plan.reg[r].channel == c && (size_t)n < sizeof(text))
			n += snprintf(text + n, sizeof(text) - (size_t)n, " %s%s in set %u",
				      styles[plan.reg[r].style], plan.reg[r].is_dup ? " dup" : "",
				      plan.reg[r].set);
	return text;
}

void plan_describe(FILE *out)
{
	static const char *const waits[] = { "epoll_wait",	"epoll_pwait", "epoll_pwait2",
					     "poll of the set", "poll",	       "ppoll",
					     "select" };
	static const char *const times[] = { "0", "1 ms", "for ever" };
	static const char *const leaves[] = { "", ", unregisters", ", disarms", ", closes" };

	for (unsigned n = 0; n < plan.channels; n++)
		fprintf(out, "# channel %s; %u tokens by producer %u\n", plan_channel(n),
			plan.channel[n].tokens, plan.channel[n].producer);
	for (unsigned c = 0; c < plan.consumers; c++) {
		const struct consumer_plan *p = &plan.consumer[c];

		fprintf(out, "# consumer %u: %s, set %d, %s %s, %u events%s%s%s\n", c,
			p->is_process ? "process" : "thread", p->set, waits[p->wait],
			times[p->patience], p->room, p->is_slow ? ", slow" : "",
			p->is_churning ? ", churns" : "", leaves[p->leaving]);
	}
	for (unsigned s = 0; s < plan.sets; s++)
		if (plan.set[s].inside >= 0 || plan.set[s].owner >= 0)
			fprintf(out, "# set %u: inside %d, of consumer %d\n", s, plan.set[s].inside,
				plan.set[s].owner);
	fprintf(out, "# %s%s%squiet for %u ms\n", plan.is_plain ? "a plain reactor, " : "",
		plan.has_churner ? "a churner, " : "",
		plan.has_signals ? "signals, " : "", plan.quiet_ms);
}
