/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <string.h>
#include "nearest.h"

const struct command_row command_rows[COMMAND_COUNT] = {
#define COMMAND(name, arguments, summary, text) { #name, arguments, summary, text },
#include "commands.def"
};

const struct option_row option_rows[OPTION_COUNT] = {
#define OPTION(command, name, value, help) { COMMAND_##command, #name, value, help },
#include "commands.def"
};

void options_begin(struct options *options, enum command command, char **arguments)
{
	*options = (struct options){ .command = command, .next = arguments };
}

static int find_option(enum command command, const char *name, size_t length)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].command == command && strlen(option_rows[i].name) == length &&
		    !memcmp(option_rows[i].name, name, length))
			return i;
	return -1;
}

static int complain_unknown(const struct options *options, const char *argument)
{
	const char *names[OPTION_COUNT + 1];
	unsigned count = 0;

	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].command == options->command)
			names[count++] = option_rows[i].name;
	names[count++] = "help";
	fprintf(stderr, "unspin %s: unknown option %s; did you mean --%s?\n",
		command_rows[options->command].name, argument,
		names[nearest_index(argument + strspn(argument, "-"), names, count)]);
	return OPTIONS_ERROR;
}

static int complain_value(const struct options *options, int option, bool is_missing)
{
	const struct option_row *row = &option_rows[option];

	fprintf(stderr,
		is_missing ? "unspin %s: --%s needs a value: --%s %s\n"
			   : "unspin %s: --%s takes no value\n",
		command_rows[options->command].name, row->name, row->name, row->value);
	return OPTIONS_ERROR;
}

static int take_option(struct options *options, const char *argument)
{
	const char *name = argument + 2, *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	int option = find_option(options->command, name, length);

	if (strncmp(argument, "--", 2) || option < 0)
		return complain_unknown(options, argument);
	if (!option_rows[option].value)
		return equals ? complain_value(options, option, false) : option;
	options->value = equals ? equals + 1 : *options->next;
	if (!options->value)
		return complain_value(options, option, true);
	options->next += !equals;
	return option;
}

int options_next(struct options *options)
{
	const char *argument = *options->next;

	if (!argument)
		return OPTIONS_END;
	options->next++;
	if (!options->is_over && !strcmp(argument, "--")) {
		options->is_over = true;
		return options_next(options);
	}
	if (options->is_over || argument[0] != '-' || !argument[1]) {
		options->value = argument;
		return OPTIONS_ARGUMENT;
	}
	if (!strcmp(argument, "--help") || !strcmp(argument, "-h"))
		return OPTIONS_HELP;
	return take_option(options, argument);
}
