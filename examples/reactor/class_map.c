/* SPDX-License-Identifier: MIT */
#include "class_map.h"

/* The two bits below the highest one choose among the four of its power of two. */
unsigned int class_map_find(size_t response_bytes)
{
	size_t bytes = response_bytes < 4 ? 4 : response_bytes; /* 4: has two bits below */
	unsigned int shift = 61 - (unsigned int)__builtin_clzl(bytes);

	return shift * 4 + (unsigned int)(bytes >> shift & 3);
}

static size_t class_from_bytes(unsigned int class_at)
{
	return (size_t)(4 + class_at % 4) << class_at / 4;
}

static void class_set_path(struct class_entry *entry, enum class_path path)
{
	__atomic_store_n(&entry->calm, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->path, path, __ATOMIC_RELAXED);
}

static bool class_learn_spun(struct class_entry *entry, enum class_path path)
{
	class_set_path(entry, CLASS_HEAVY);
	if (path != CLASS_LIGHT)
		return false;
	__atomic_add_fetch(&entry->to_heavy, 1, __ATOMIC_RELAXED);
	return true;
}

static bool class_learn_calm(struct class_entry *entry, enum class_path path)
{
	if (path == CLASS_UNKNOWN)
		class_set_path(entry, CLASS_LIGHT);
	if (path != CLASS_HEAVY ||
	    __atomic_add_fetch(&entry->calm, 1, __ATOMIC_RELAXED) < CLASS_MAP_CALM)
		return false;
	class_set_path(entry, CLASS_LIGHT);
	__atomic_add_fetch(&entry->to_light, 1, __ATOMIC_RELAXED);
	return true;
}

bool class_map_learn(struct class_map *map, unsigned int class_at, bool has_spun)
{
	struct class_entry *entry = &map->entries[class_at];
	enum class_path path = class_map_path(map, class_at);

	return has_spun ? class_learn_spun(entry, path) : class_learn_calm(entry, path);
}

static void class_print(const struct class_map *map, unsigned int class_at, FILE *out)
{
	const struct class_entry *entry = &map->entries[class_at];

	fprintf(out, "{\"from_bytes\":%zu,\"to_bytes\":%zu,\"path\":\"%s\"",
		class_from_bytes(class_at), class_from_bytes(class_at + 1) - 1,
		class_map_path(map, class_at) == CLASS_LIGHT ? "light" : "heavy");
	fprintf(out, ",\"to_heavy\":%lu,\"to_light\":%lu}",
		__atomic_load_n(&entry->to_heavy, __ATOMIC_RELAXED),
		__atomic_load_n(&entry->to_light, __ATOMIC_RELAXED));
}

void class_map_print(const struct class_map *map, FILE *out)
{
	const char *comma = "";

	fputc('[', out);
	for (unsigned int at = 0; at < CLASS_MAP_CLASSES; at++) {
		if (class_map_path(map, at) == CLASS_UNKNOWN)
			continue;
		fputs(comma, out);
		class_print(map, at, out);
		comma = ",";
	}
	fputc(']', out);
}
