/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <string.h>
#include "command.h"
#include "nearest.h"
#include "text.h"

enum { OPTION_COLUMN = 22 };

int help_overview(FILE *out)
{
	fprintf(out,
		"unspin %s: makes servers that write badly run well, and says what was wrong.\n\n"
		"Usage: unspin COMMAND ...\n\n",
		UNSPIN_VERSION);
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-6s %-40s %s\n", command_rows[i].name, command_rows[i].arguments,
			command_rows[i].summary);
	fputs("\nExamples:\n"
	      "  unspin check nginx                         can the shim see nginx?\n"
	      "  unspin run -- nginx -g 'daemon off;'       start it under the shim\n"
	      "  unspin stat                                which processes, how many stalls\n"
	      "  unspin stat 1234                           all about one, and what was wrong\n"
	      "  unspin run --observe -- redis-server       count only, change nothing\n"
	      "\n`unspin help COMMAND`, `unspin help config` and `unspin help stats` say more.\n",
	      out);
	return EXIT_OK;
}

static void print_options(FILE *out, enum command command)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		int wide;

		if (row->command != command)
			continue;
		wide = fprintf(out, "  --%s%s%s", row->name, row->value ? " " : "",
			       row->value ? row->value : "");
		fprintf(out, "%*s", wide < OPTION_COLUMN ? OPTION_COLUMN - wide : 1, "");
		text_wrap(out, row->help, OPTION_COLUMN, OPTION_COLUMN, TEXT_WIDTH);
	}
}

int help_command(enum command command)
{
	const struct command_row *row = &command_rows[command];

	printf("Usage: unspin %s %s\n\n", row->name, row->arguments);
	text_wrap(stdout, row->text, 0, 0, TEXT_WIDTH);
	puts("\nOPTIONS");
	print_options(stdout, command);
	if (command == COMMAND_run) {
		puts("\nPROFILES");
		help_profiles(stdout);
		puts("\nSETTINGS (variable UNSPIN_KEY in capitals, or --set key=value)");
		help_settings(stdout);
	}
	return EXIT_OK;
}

int help_wrong_use(enum command command, const char *what)
{
	fprintf(stderr, "unspin %s: %s\nUsage: unspin %s %s\n", command_rows[command].name, what,
		command_rows[command].name, command_rows[command].arguments);
	return EXIT_USAGE;
}

static int help_topic(const char *topic, bool is_markdown)
{
	const char *topics[COMMAND_COUNT + 2];

	for (int i = 0; i < COMMAND_COUNT; i++) {
		topics[i] = command_rows[i].name;
		if (!strcmp(topic, topics[i]))
			return help_command((enum command)i);
	}
	if (!strcmp(topic, "config"))
		return help_config(is_markdown);
	if (!strcmp(topic, "stats"))
		return help_describe(false, is_markdown);
	topics[COMMAND_COUNT] = "config";
	topics[COMMAND_COUNT + 1] = "stats";
	fprintf(stderr, "unspin help: no topic %s; did you mean %s?\n", topic,
		topics[nearest_index(topic, topics, COMMAND_COUNT + 2)]);
	return EXIT_USAGE;
}

int command_help(char **arguments)
{
	bool is_set[OPTION_COUNT] = { false };
	const char *topic = NULL;
	struct options options;
	int found;

	options_begin(&options, COMMAND_help, arguments);
	while ((found = options_next(&options)) != OPTIONS_END) {
		if (found == OPTIONS_ERROR)
			return EXIT_USAGE;
		if (found == OPTIONS_HELP)
			return help_command(COMMAND_help);
		if (found == OPTIONS_ARGUMENT)
			topic = options.value;
		else
			is_set[found] = true;
	}
	if (is_set[OPTION_help_man])
		return help_man();
	if (topic)
		return help_topic(topic, is_set[OPTION_help_markdown]);
	return help_overview(stdout);
}
