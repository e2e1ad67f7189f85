/* SPDX-License-Identifier: MIT */
/*
 * The commands. Each takes the NULL-ended arguments behind its name and returns the exit code of
 * unspin; command_run() only returns when the program could not be started.
 */
#ifndef UNSPIN_COMMAND_H
#define UNSPIN_COMMAND_H

#include "options.h"

#ifndef UNSPIN_VERSION
#define UNSPIN_VERSION "0.1.0-dev"
#endif

enum {
	EXIT_OK = 0,
	EXIT_PROBLEM = 1,
	EXIT_USAGE = 2,
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127
};

#define COMMAND(name, arguments, summary, text) int command_##name(char **arguments_given);
#include "commands.def"

#endif
