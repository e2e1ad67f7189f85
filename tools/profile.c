/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "nearest.h"
#include "settings.h"

const struct profile_row profile_rows[] = {
#define PROFILE(name, help, settings) { #name, help, settings },
#include "../shim/config.def"
};
const unsigned profile_count = sizeof(profile_rows) / sizeof(profile_rows[0]);

static const struct profile_row *find_profile(const char *name)
{
	const char *names[sizeof(profile_rows) / sizeof(profile_rows[0])];

	for (unsigned i = 0; i < profile_count; i++) {
		names[i] = profile_rows[i].name;
		if (!strcmp(names[i], name))
			return &profile_rows[i];
	}
	fprintf(stderr, "unspin run: no profile %s; did you mean %s? (", name,
		names[nearest_index(name, names, profile_count)]);
	for (unsigned i = 0; i < profile_count; i++)
		fprintf(stderr, "%s%s", i ? ", " : "", names[i]);
	fputs(")\n", stderr);
	return NULL;
}

/* Key and value of "key=value" to an option and its value; -1 when said to be wrong. */
static int parse_assignment(const char *assignment, const char **ret_value)
{
	const char *equals = strchr(assignment, '=');
	size_t length = equals ? (size_t)(equals - assignment) : strlen(assignment);
	char allowed[SETTINGS_TEXT_MAX], key[64];
	struct config scratch;
	enum problem_kind problem;
	int option = settings_find(assignment, length);

	snprintf(key, sizeof(key), "%.*s", (int)length, assignment);
	if (option < 0) {
		fprintf(stderr,
			"unspin run: no setting %s; did you mean %s? See `unspin help config`.\n",
			key, settings_nearest_key(key));
		return -1;
	}
	settings_allowed((enum config_option)option, allowed);
	if (!equals) {
		fprintf(stderr, "unspin run: --set %s needs a value: %s\n", key, allowed);
		return -1;
	}
	config_defaults(&scratch);
	problem = config_set(&scratch, (enum config_option)option, equals + 1);
	if (problem != PROBLEM_NONE) {
		fprintf(stderr, "unspin run: %s=%s is %s; valid: %s\n", key, equals + 1,
			problem == PROBLEM_OUT_OF_RANGE ? "out of range" : "not valid", allowed);
		return -1;
	}
	*ret_value = equals + 1;
	return option;
}

static int set_variable(const char *assignment, int is_stronger)
{
	const char *value;
	int option = parse_assignment(assignment, &value);

	if (option < 0)
		return -1;
	return setenv(config_rows[option].env, value, is_stronger);
}

int profile_apply(const char *name)
{
	const struct profile_row *row = find_profile(name);
	char *settings, *word, *rest = NULL;

	if (!row)
		return -1;
	settings = strdup(row->settings);
	for (word = strtok_r(settings, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		set_variable(word, 0);
	free(settings);
	return 0;
}

int profile_set(const char *assignment)
{
	return set_variable(assignment, 1);
}

void profile_complain_environment(void)
{
	char sentence[SETTINGS_SENTENCE_MAX];
	struct config config;

	config_from_environment(&config, environ);
	for (unsigned i = 0; i < config.problem_count && i < CONFIG_PROBLEMS_MAX; i++) {
		settings_complaint(&config.problem[i], sentence);
		fprintf(stderr, "unspin run: %s\n", sentence);
	}
}
