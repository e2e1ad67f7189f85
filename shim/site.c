/* SPDX-License-Identifier: MIT */
#include "site.h"

#include "atomic.h"
#include "config.h"
#include "real.h"

#include <stddef.h>

#define RULES 1024 /* return addresses whose rules are kept; both powers of 2 */
#define ADDRESSES 128 /* that paths are kept of */
#define PROBES 8

/*
 * What is known of one return address. Filled once and never changed. A rule is believed only
 * where the same object is still mapped and the code before the address is the same: the address
 * may be another plugin's after dlclose. Otherwise it is read again at each use.
 */
static struct known_rule {
	uint64_t pc; /* claimed by CAS */
	uint64_t object, code;
	struct frame_rule rule; /* stored last */
} rules[RULES];

static struct known_paths {
	uint64_t address;	   /* claimed by CAS */
	uint64_t path[SITE_PATHS]; /* each claimed by CAS, in order */
} paths[ADDRESSES];

static unsigned frames_max = 1; /* of a path */
static void *own_map; /* this library's link_map */

void site_configure(const struct config *config)
{
	struct frame_object own;

	frames_max = 1 + (unsigned)config->value[CONFIG_callers];
	frames_max = frames_max < SITE_FRAMES ? frames_max : SITE_FRAMES;
	if (real_find_object && real_find_object(rules, &own) == 0)
		own_map = own.link_map;
}

/* Fibonacci hashing (Knuth 6.4). */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

/* Claims a free cell: 1. Otherwise 0 and *ret_found is what is in it. */
static int cas_free(uint64_t *cell, uint64_t *ret_found, uint64_t value)
{
	*ret_found = load_relaxed(cell);
	return !*ret_found && cas_acq_rel(cell, ret_found, value);
}

/* The word of code in which the call before pc ends: never on another page than the call. */
static uint64_t code_before(uintptr_t pc)
{
	return *(const volatile uint64_t *)((pc - 1) & ~(uintptr_t)7);
}

static int is_same(const struct known_rule *known, uint64_t object)
{
	return known->object == object &&
	       (known->rule.base == FRAME_END || known->code == code_before(load_relaxed(&known->pc)));
}

static struct frame_rule rule_of(uintptr_t pc, const struct frame_object *mapped)
{
	uint64_t object = mix((uintptr_t)mapped->link_map, (uintptr_t)mapped->map_start);
	uint64_t at = mix(0, pc);
	struct frame_rule rule;

	for (unsigned i = 0; i < PROBES; i++) {
		struct known_rule *known = &rules[(at + i) % RULES];
		uint64_t found = 0;

		if (cas_free(&known->pc, &found, pc)) {
			rule = frame_rule(pc, mapped);
			known->object = object;
			known->code = rule.base == FRAME_END ? 0 : code_before(pc);
			__atomic_store(&known->rule, &rule, __ATOMIC_RELEASE);
			return rule;
		}
		if (found != pc)
			continue;
		/* Pairs with the release above: a rule is seen with the rest. */
		__atomic_load(&known->rule, &rule, __ATOMIC_ACQUIRE);
		if (rule.base != FRAME_UNKNOWN && is_same(known, object))
			return rule;
		break;
	}
	return frame_rule(pc, mapped);
}

uint64_t site_admit(uint64_t address, uint64_t path)
{
	uint64_t at = mix(0, address), found;

	for (unsigned i = 0; i < PROBES; i++) {
		struct known_paths *known = &paths[(at + i) % ADDRESSES];

		if (!cas_free(&known->address, &found, address) && found != address)
			continue;
		for (unsigned k = 0; k < SITE_PATHS; k++)
			if (cas_free(&known->path[k], &found, path) || found == path)
				return path;
		return 0;
	}
	return 0;
}

static int is_among(uint64_t pc, const uint64_t *seen, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (seen[i] == pc)
			return 1;
	return 0;
}

struct site site_look(const void *wrapper_frame, const void *address)
{
	const uintptr_t *words = wrapper_frame; /* the host's frame pointer, the return address */
	struct frame frame = { words[1], (uintptr_t)(words + 2), words[0] };
	struct site site = { .address = (uint64_t)(uintptr_t)address };
	struct frame_object object;
	uint64_t seen[SITE_FRAMES], path = 0;
	unsigned n = 0;

	if (!real_find_object)
		return site;
	for (unsigned steps = 0; n < frames_max && steps < 2 * SITE_FRAMES; steps++) {
		if (!n)
			site.address = frame.pc;
		if (real_find_object((void *)frame.pc, &object) != 0)
			break;
		if (object.link_map != own_map) {
			if (is_among(frame.pc, seen, n))
				break;
			seen[n++] = frame.pc;
			path = mix(path, frame.pc);
		}
		if (!frame_up(&frame, rule_of(frame.pc, &object)))
			break;
	}
	site.path = n > 1 ? site_admit(site.address, path) : 0;
	for (unsigned i = 0; site.path && i < SITE_CALLERS; i++)
		site.caller[i] = i + 1 < n ? seen[i + 1] : 0;
	return site;
}
