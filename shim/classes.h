/* SPDX-License-Identifier: MIT */
/*
 * The table of classes (policy/class.h): finds the memory of a response's kind. Slow path only.
 * Lock-free; never grows: when no place is left near a key, its responses have no memory. Private
 * memory, so a fork child starts with what its parent has learnt; the rows others read are
 * published into the statistics after every change.
 */
#ifndef UNSPIN_CLASSES_H
#define UNSPIN_CLASSES_H

#include "../policy/class.h"
#include "atomic.h"
#include "stats_layout.h"

#define CLASSES_MAX STATS_CLASS_ROWS
#define CLASS_CALLERS 3

struct class_slot {
	uint32_t state; /* 0 free, 1 being filled, 2 valid */
	struct class_key key;
	struct class_memory memory;
	uint64_t caller[CLASS_CALLERS]; /* of the key's path, for readers; 0: not known */
};

/* The class of the key, made if needed; NULL when there is no place. Keeps errno. */
struct class_slot *classes_get(const struct class_key *key);

/* Notes which callers the class's path begins with; published with the rest. */
void classes_name(struct class_slot *slot, const uint64_t caller[CLASS_CALLERS]);

/* The row of the class in the statistics; a sink before the region exists. */
struct class_row *classes_row(const struct class_slot *slot);

/* A response of the class is at least that long. */
void classes_need(struct class_slot *slot, uint64_t bytes);

/* What is done about its stalls, for the row. */
void classes_note(const struct class_slot *slot, enum strategy strategy);

/* Copies what was learnt into the row. */
void classes_publish(const struct class_slot *slot);

#endif
