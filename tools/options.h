/* SPDX-License-Identifier: MIT */
/*
 * Parses the command line by the rows of commands.def. A parser of our own rather than getopt
 * because help, man page and parser then share one table, and a mistyped option gets its nearest
 * valid name. Long options only; "--name value" and "--name=value"; "--" ends them.
 */
#ifndef UNSPIN_OPTIONS_H
#define UNSPIN_OPTIONS_H

#include <stdbool.h>

enum command {
#define COMMAND(name, arguments, summary, text) COMMAND_##name,
#include "commands.def"
	COMMAND_COUNT
};

/* OPTION_stat_json, ... */
enum option_id {
#define OPTION(command, name, value, help) OPTION_##command##_##name,
#include "commands.def"
	OPTION_COUNT
};

struct command_row {
	const char *name, *arguments, *summary, *text;
};

struct option_row {
	enum command command;
	const char *name;
	const char *value; /* what it takes; NULL: a switch */
	const char *help;
};

extern const struct command_row command_rows[COMMAND_COUNT];
extern const struct option_row option_rows[OPTION_COUNT];

/* What options_next() found. Non-negative: an enum option_id. */
enum { OPTIONS_END = -1, OPTIONS_ARGUMENT = -2, OPTIONS_ERROR = -3, OPTIONS_HELP = -4 };

struct options {
	enum command command;
	char **next;	   /* what options_next() looks at next */
	const char *value; /* of the option found, or the argument */
	bool is_over;	   /* "--" was seen: only arguments from here */
};

/* arguments: NULL-ended, behind the command's name. */
void options_begin(struct options *options, enum command command, char **arguments);

/*
 * The next option or argument. OPTIONS_HELP: --help or -h. OPTIONS_ERROR: an unknown option or a
 * missing value; it has been said on stderr, exit with 2.
 */
int options_next(struct options *options);

#endif
