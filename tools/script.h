/* SPDX-License-Identifier: MIT */
/* The first line of a script: who interprets it. Pure. */
#ifndef UNSPIN_SCRIPT_H
#define UNSPIN_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum { SCRIPT_NAME_MAX = 256 };

struct script_line {
	char interpreter[SCRIPT_NAME_MAX]; /* path behind #! */
	char argument[SCRIPT_NAME_MAX]; /* the rest of the line, one argument to the kernel; "" */
};

/* True when the file (its first bytes are enough) begins with a #! line. */
bool script_parse(const char *memory, size_t bytes, struct script_line *ret);

/*
 * What `env` would start, for #! lines that go through it: "/usr/bin/env python3",
 * "/usr/bin/env -S node --flag", "env -i", "env NAME=value prog". False when it names nothing.
 */
bool script_env_program(const char *argument, char *ret_program, bool *ret_is_cleared);

#endif
