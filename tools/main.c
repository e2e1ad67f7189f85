/* SPDX-License-Identifier: MIT */
/* unspin: one command per row of commands.def. */
#include "command.h"

#include <stdio.h>
#include <string.h>
#include "help.h"
#include "nearest.h"

static int (*const functions[COMMAND_COUNT])(char **arguments) = {
#define COMMAND(name, arguments, summary, text) [COMMAND_##name] = command_##name,
#include "commands.def"
};

static int complain(const char *name)
{
	const char *names[COMMAND_COUNT];

	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		names[i] = command_rows[i].name;
	fprintf(stderr, "unspin: no command %s; did you mean `unspin %s`? See `unspin help`.\n",
		name, names[nearest_index(name, names, COMMAND_COUNT)]);
	return EXIT_USAGE;
}

/* A reader that left early or a full disk must not look like success. */
static int close_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("unspin: standard output");
	return code == EXIT_OK ? EXIT_PROBLEM : code;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("unspin %s\n", UNSPIN_VERSION);
		return close_output(EXIT_OK);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return close_output(help_overview(stdout));
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], command_rows[i].name))
			return close_output(functions[i](argv + 2));
	return complain(argv[1]);
}
