/* SPDX-License-Identifier: MIT */
#include "classes.h"

#include "stats.h"

#define PROBES 16

enum { SLOT_FREE, SLOT_FILLING, SLOT_VALID };

static struct class_slot slots[CLASSES_MAX];
static struct class_row sink;

static int is_same(const struct class_key *a, const struct class_key *b)
{
	return a->site == b->site && a->port == b->port && a->bucket == b->bucket &&
	       a->path == b->path;
}

struct class_slot *classes_get(const struct class_key *key)
{
	uint32_t at = class_hash(key, CLASSES_MAX);

	for (unsigned i = 0; i < PROBES; i++) {
		struct class_slot *slot = &slots[(at + i) % CLASSES_MAX];
		uint32_t state = load_acquire(&slot->state), expected = SLOT_FREE;

		if (state == SLOT_FREE && cas_acq_rel(&slot->state, &expected, SLOT_FILLING)) {
			slot->key = *key;
			/* Pairs with the acquire above: a valid slot is seen with its key. */
			store_release(&slot->state, SLOT_VALID);
			return slot;
		}
		if (state == SLOT_VALID && is_same(&slot->key, key))
			return slot;
		/* Being filled by another thread, perhaps with this key: a later call finds it. */
	}
	return NULL;
}

void classes_name(struct class_slot *slot, const uint64_t caller[CLASS_CALLERS])
{
	for (unsigned i = 0; i < CLASS_CALLERS; i++)
		store_relaxed(&slot->caller[i], caller[i]); /* the same whoever writes them */
}

struct class_row *classes_row(const struct class_slot *slot)
{
	return stats_has_begun() ? &stats.classes[slot - slots] : &sink;
}

void classes_need(struct class_slot *slot, uint64_t bytes)
{
	if (bytes <= load_relaxed(&slot->memory.need_bytes))
		return;
	store_relaxed(&slot->memory.need_bytes, bytes);
	classes_publish(slot);
}

void classes_note(const struct class_slot *slot, enum strategy strategy)
{
	store_relaxed(&classes_row(slot)->strategy, (uint32_t)strategy);
}

void classes_publish(const struct class_slot *slot)
{
	struct class_row *row = classes_row(slot);
	const struct class_memory *m = &slot->memory;

	store_relaxed(&row->site, slot->key.site);
	store_relaxed(&row->port, slot->key.port);
	store_relaxed(&row->bucket, slot->key.bucket);
	store_relaxed(&row->need_bytes, load_relaxed(&m->need_bytes));
	store_relaxed(&row->drain_ns, load_relaxed(&m->drain_ns));
	store_relaxed(&row->trip_ns, load_relaxed(&m->trip_ns));
	store_relaxed(&row->spin_score, load_relaxed(&m->spin_score));
	store_relaxed(&row->yield_score, load_relaxed(&m->yield_score));
	store_relaxed(&row->path, slot->key.path);
	store_relaxed(&row->caller_1, load_relaxed(&slot->caller[0]));
	store_relaxed(&row->caller_2, load_relaxed(&slot->caller[1]));
	store_relaxed(&row->caller_3, load_relaxed(&slot->caller[2]));
	store_release(&row->state, ROW_OPEN);
}
