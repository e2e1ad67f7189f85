/* SPDX-License-Identifier: MIT */
/*
 * The options of config.def as one struct, and the parser that fills it. Filled once in the
 * constructor, read-only afterwards, so it is read without locks. Also linked into the tools
 * (which check settings with the very same parser) and the unit tests.
 */
#ifndef UNSPIN_CONFIG_H
#define UNSPIN_CONFIG_H

#include <stdint.h>
#include "stats_layout.h"
#include "stats_dir.h"

enum config_option {
#define OPT_ENUM(field, ENV, def, words, help) CONFIG_##field,
#define OPT_SET(field, ENV, def, words, help) CONFIG_##field,
#define OPT_BOOL(field, ENV, def, help) CONFIG_##field,
#define OPT_UINT(field, ENV, def, min, max, unit, help) CONFIG_##field,
#define OPT_PATH(field, ENV, help) CONFIG_##field,
#include "config.def"
	CONFIG_COUNT
};

enum { MODE_OFF, MODE_OBSERVE, MODE_ADAPT };   /* config.mode */
enum { WRITE_AUTO, WRITE_OFF, WRITE_GROW, WRITE_SPIN, WRITE_BLOCK }; /* config.write */
/* Bits of config.wake, in the order of the words in config.def. */
enum { WAKE_AUTO = 1, WAKE_OFF = 2, WAKE_EXCLUSIVE = 4, WAKE_STRETCH = 8, WAKE_MASK = 16,
       WAKE_GATHER = 32 };

struct config {
	uint64_t value[CONFIG_COUNT];  /* by enum config_option; a path: 1 if set */
	uint8_t is_set[CONFIG_COUNT];  /* 1: taken from the environment */
	char stats_dir[STATS_DIR_MAX];
	uint32_t problem_count; /* may exceed CONFIG_PROBLEMS_MAX */
	struct config_problem problem[CONFIG_PROBLEMS_MAX];
};

enum config_kind { CONFIG_KIND_ENUM, CONFIG_KIND_SET, CONFIG_KIND_BOOL, CONFIG_KIND_UINT, CONFIG_KIND_PATH };

/* One row of config.def, for the parser, help and dumps. */
struct config_row {
	enum config_kind kind;
	const char *key;   /* "sndbuf_max" */
	const char *env;   /* "UNSPIN_SNDBUF_MAX" */
	uint64_t def, min, max;
	const char *words; /* enums and sets: "a|b|c" */
	const char *unit;  /* numbers: "bytes", ... */
	const char *help;
};

extern const struct config_row config_rows[CONFIG_COUNT];

/* All defaults, nothing set, no problem. */
void config_defaults(struct config *config);

/*
 * Takes one "UNSPIN_NAME=value" string. Strings of other names are ignored. A name or value that
 * is not known leaves the option as it is and is added to the problems. Returns the kind of
 * problem or PROBLEM_NONE. No allocation; safe before libc's constructors have run.
 */
enum problem_kind config_take(struct config *config, const char *assignment);

/* Defaults, then every UNSPIN_* string of a NULL-ended environment (may be NULL). */
void config_from_environment(struct config *config, char *const *environment);

/* Checks and stores one value for the option. PROBLEM_NONE, _BAD_VALUE or _OUT_OF_RANGE. */
enum problem_kind config_set(struct config *config, enum config_option option, const char *value);

/* Writes the words of a set as one would type them, "exclusive,stretch", into ret. */
void config_set_words(const char *words, uint64_t bits, char *ret, unsigned room);

/* Writes the n-th word of "a|b|c" into ret (room bytes), "" when there is none. */
void config_word(const char *words, unsigned n, char *ret, unsigned room);

#endif
