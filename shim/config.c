/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#define ENV_PREFIX "UNSPIN_"

const struct config_row config_rows[CONFIG_COUNT] = {
#define OPT_ENUM(field, ENV, def, words, help) \
	{ CONFIG_KIND_ENUM, #field, ENV_PREFIX ENV, def, 0, 0, words, "", help },
#define OPT_SET(field, ENV, def, words, help) \
	{ CONFIG_KIND_SET, #field, ENV_PREFIX ENV, def, 0, 0, words, "", help },
#define OPT_BOOL(field, ENV, def, help) \
	{ CONFIG_KIND_BOOL, #field, ENV_PREFIX ENV, def, 0, 1, "0|1", "", help },
#define OPT_UINT(field, ENV, def, min, max, unit, help) \
	{ CONFIG_KIND_UINT, #field, ENV_PREFIX ENV, def, min, max, "", unit, help },
#define OPT_PATH(field, ENV, help) \
	{ CONFIG_KIND_PATH, #field, ENV_PREFIX ENV, 0, 0, 1, "", "", help },
#include "config.def"
};

_Static_assert(CONFIG_COUNT <= CONFIG_OPTIONS_MAX, "stats header has too few option cells");

#define CONFIG_SET_ALONE 2 /* words of a set that stand alone: auto, off */

/* Set by the launcher for itself, or read by the library elsewhere: not options, not unknown. */
static const char *const reserved[] = { "UNSPIN_LIBRARY" };

static void copy_cut(char *to, unsigned room, const char *from, size_t length)
{
	if (length >= room)
		length = room - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

static void add_problem(struct config *config, enum problem_kind kind, const char *name,
			size_t name_length, const char *value)
{
	struct config_problem *p;

	if (config->problem_count < CONFIG_PROBLEMS_MAX) {
		p = &config->problem[config->problem_count];
		p->kind = kind;
		copy_cut(p->name, sizeof(p->name), name, name_length);
		copy_cut(p->value, sizeof(p->value), value, strlen(value));
	}
	config->problem_count++;
}

/* Index of value[0 ... length) among "a|b|c", -1 if it is not there. */
static int find_word_of(const char *words, const char *value, size_t length)
{
	int n = 0;

	for (const char *w = words; length; n++) {
		const char *end = strchr(w, '|');
		size_t have = end ? (size_t)(end - w) : strlen(w);

		if (have == length && !memcmp(w, value, length))
			return n;
		if (!end)
			break;
		w = end + 1;
	}
	return -1;
}

static int find_word(const char *words, const char *value)
{
	return find_word_of(words, value, strlen(value));
}

/* "a,c" to bits. The first two words say something of the whole and stand alone; no word twice. */
static enum problem_kind parse_set(const char *words, const char *text, uint64_t *ret_bits)
{
	uint64_t bits = 0;

	for (;;) {
		const char *end = strchr(text, ',');
		size_t length = end ? (size_t)(end - text) : strlen(text);
		int word = find_word_of(words, text, length);

		if (word < 0 || bits & 1ull << word || (bits && word < CONFIG_SET_ALONE))
			return PROBLEM_BAD_VALUE;
		bits |= 1ull << word;
		if (!end)
			break;
		text = end + 1;
	}
	if (bits & ((1 << CONFIG_SET_ALONE) - 1) && bits & (bits - 1))
		return PROBLEM_BAD_VALUE;
	*ret_bits = bits;
	return PROBLEM_NONE;
}

static enum problem_kind parse_number(const struct config_row *row, const char *text,
				      uint64_t *ret_value)
{
	uint64_t value = 0;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return PROBLEM_BAD_VALUE;
	for (; *text >= '0' && *text <= '9'; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return PROBLEM_OUT_OF_RANGE;
		value = value * 10 + digit;
	}
	if (*text && !strcmp(row->unit, "bytes")) {
		shift = *text == 'k' || *text == 'K' ? 10
			: *text == 'm' || *text == 'M' ? 20
			: *text == 'g' || *text == 'G' ? 30 : 0;
		text += shift ? 1 : 0;
	}
	if (*text)
		return PROBLEM_BAD_VALUE;
	if (shift && value > UINT64_MAX >> shift)
		return PROBLEM_OUT_OF_RANGE;
	value <<= shift;
	if (value < row->min || value > row->max)
		return PROBLEM_OUT_OF_RANGE;
	*ret_value = value;
	return PROBLEM_NONE;
}

enum problem_kind config_set(struct config *config, enum config_option option, const char *text)
{
	const struct config_row *row = &config_rows[option];
	enum problem_kind problem;
	uint64_t value = 0;
	int word;

	switch (row->kind) {
	case CONFIG_KIND_ENUM:
		word = find_word(row->words, text);
		if (word < 0)
			return PROBLEM_BAD_VALUE;
		value = (uint64_t)word;
		break;
	case CONFIG_KIND_SET:
		problem = parse_set(row->words, text, &value);
		if (problem != PROBLEM_NONE)
			return problem;
		break;
	case CONFIG_KIND_BOOL:
		word = find_word("0|1|no|yes|off|on|false|true", text);
		if (word < 0)
			return PROBLEM_BAD_VALUE;
		value = (uint64_t)word & 1;
		break;
	case CONFIG_KIND_UINT:
		problem = parse_number(row, text, &value);
		if (problem != PROBLEM_NONE)
			return problem;
		break;
	case CONFIG_KIND_PATH:
		if (*text && *text != '/')
			return PROBLEM_BAD_VALUE;
		if (strlen(text) >= sizeof(config->stats_dir))
			return PROBLEM_OUT_OF_RANGE;
		copy_cut(config->stats_dir, sizeof(config->stats_dir), text, strlen(text));
		value = *text != '\0';
		break;
	}
	config->value[option] = value;
	config->is_set[option] = 1;
	return PROBLEM_NONE;
}

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	for (unsigned i = 0; i < CONFIG_COUNT; i++)
		config->value[i] = config_rows[i].def;
}

static int is_reserved(const char *name, size_t length)
{
	for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strlen(reserved[i]) == length && !memcmp(reserved[i], name, length))
			return 1;
	return 0;
}

enum problem_kind config_take(struct config *config, const char *assignment)
{
	enum problem_kind problem;
	const char *value;
	size_t length;

	if (strncmp(assignment, ENV_PREFIX, sizeof(ENV_PREFIX) - 1))
		return PROBLEM_NONE;
	value = strchr(assignment, '=');
	if (!value)
		return PROBLEM_NONE;
	length = (size_t)(value++ - assignment);
	if (is_reserved(assignment, length))
		return PROBLEM_NONE;
	for (unsigned i = 0; i < CONFIG_COUNT; i++) {
		const char *env = config_rows[i].env;

		if (strlen(env) != length || memcmp(env, assignment, length))
			continue;
		problem = config_set(config, (enum config_option)i, value);
		if (problem != PROBLEM_NONE)
			add_problem(config, problem, assignment, length, value);
		return problem;
	}
	add_problem(config, PROBLEM_UNKNOWN_NAME, assignment, length, value);
	return PROBLEM_UNKNOWN_NAME;
}

void config_from_environment(struct config *config, char *const *environment)
{
	config_defaults(config);
	for (; environment && *environment; environment++)
		config_take(config, *environment);
}

void config_set_words(const char *words, uint64_t bits, char *ret, unsigned room)
{
	unsigned used = 0;

	ret[0] = '\0';
	for (unsigned n = 0; bits >> n && used + 1 < room; n++) {
		if (!(bits >> n & 1))
			continue;
		if (used)
			ret[used++] = ',';
		config_word(words, n, ret + used, room - used);
		used += (unsigned)strlen(ret + used);
	}
}

void config_word(const char *words, unsigned n, char *ret, unsigned room)
{
	const char *end;

	for (; n && words; n--) {
		words = strchr(words, '|');
		words += words ? 1 : 0;
	}
	if (!words) {
		ret[0] = '\0';
		return;
	}
	end = strchr(words, '|');
	copy_cut(ret, room, words, end ? (size_t)(end - words) : strlen(words));
}
