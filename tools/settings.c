/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "nearest.h"

void settings_value(enum config_option option, uint64_t value, const char *path, char *ret)
{
	const struct config_row *row = &config_rows[option];

	switch (row->kind) {
	case CONFIG_KIND_ENUM:
		config_word(row->words, (unsigned)value, ret, SETTINGS_TEXT_MAX);
		break;
	case CONFIG_KIND_SET:
		config_set_words(row->words, value, ret, SETTINGS_TEXT_MAX);
		break;
	case CONFIG_KIND_PATH:
		snprintf(ret, SETTINGS_TEXT_MAX, "%s", value ? path : "");
		break;
	case CONFIG_KIND_BOOL:
	case CONFIG_KIND_UINT:
		snprintf(ret, SETTINGS_TEXT_MAX, "%" PRIu64, value);
		break;
	}
}

void settings_allowed(enum config_option option, char *ret)
{
	const struct config_row *row = &config_rows[option];

	if (row->kind == CONFIG_KIND_PATH)
		snprintf(ret, SETTINGS_TEXT_MAX, "an absolute path");
	else if (row->kind == CONFIG_KIND_UINT)
		snprintf(ret, SETTINGS_TEXT_MAX, "%" PRIu64 "..%" PRIu64 " %s", row->min, row->max,
			 row->unit);
	else
		snprintf(ret, SETTINGS_TEXT_MAX, "%s", row->words);
}

/* " (16m)" behind large round sizes; the short form is what one would type. */
static void short_size(uint64_t value, char *ret, size_t room)
{
	static const char suffix[] = "kmg";
	unsigned steps = 0;

	for (; value >= 1024 && value % 1024 == 0 && steps < 3; steps++)
		value /= 1024;
	ret[0] = '\0';
	if (steps)
		snprintf(ret, room, " (%" PRIu64 "%c)", value, suffix[steps - 1]);
}

void settings_default(enum config_option option, char *ret)
{
	const struct config_row *row = &config_rows[option];
	char size[32] = "";

	if (row->kind == CONFIG_KIND_PATH) {
		snprintf(ret, SETTINGS_TEXT_MAX, "not set");
	} else if (row->kind == CONFIG_KIND_UINT) {
		if (!strcmp(row->unit, "bytes"))
			short_size(row->def, size, sizeof(size));
		snprintf(ret, SETTINGS_TEXT_MAX, "%" PRIu64 " %s%s", row->def, row->unit, size);
	} else {
		settings_value(option, row->def, "", ret);
	}
}

static bool is_word(const char *word, const char *text, size_t length)
{
	return strlen(word) == length && !strncasecmp(word, text, length);
}

int settings_find(const char *name, size_t length)
{
	for (int i = 0; i < CONFIG_COUNT; i++)
		if (is_word(config_rows[i].key, name, length) ||
		    is_word(config_rows[i].env, name, length))
			return i;
	return -1;
}

const char *settings_nearest_key(const char *key)
{
	const char *keys[CONFIG_COUNT];

	for (unsigned i = 0; i < CONFIG_COUNT; i++)
		keys[i] = config_rows[i].key;
	return keys[nearest_index(key, keys, CONFIG_COUNT)];
}

const char *settings_nearest_env(const char *env)
{
	const char *names[CONFIG_COUNT];

	for (unsigned i = 0; i < CONFIG_COUNT; i++)
		names[i] = config_rows[i].env;
	return names[nearest_index(env, names, CONFIG_COUNT)];
}

static int find_env(const char *env)
{
	for (int i = 0; i < CONFIG_COUNT; i++)
		if (!strcmp(config_rows[i].env, env))
			return i;
	return -1;
}

void settings_did_you_mean(const struct config_problem *problem, char *ret)
{
	int option = find_env(problem->name);

	if (problem->kind == PROBLEM_UNKNOWN_NAME || option < 0)
		snprintf(ret, SETTINGS_TEXT_MAX, "%s", settings_nearest_env(problem->name));
	else
		settings_allowed((enum config_option)option, ret);
}

void settings_complaint(const struct config_problem *problem, char *ret)
{
	char meant[SETTINGS_TEXT_MAX];
	const char *what = "no such option; the nearest valid name is";

	settings_did_you_mean(problem, meant);
	if (problem->kind == PROBLEM_BAD_VALUE)
		what = "not a valid value; valid:";
	else if (problem->kind == PROBLEM_OUT_OF_RANGE)
		what = "out of range; valid:";
	snprintf(ret, SETTINGS_SENTENCE_MAX, "%s=%s was ignored: %s %s", problem->name,
		 problem->value, what, meant);
}
