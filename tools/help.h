/* SPDX-License-Identifier: MIT */
/* Help in every form, all of it made from the .def files. The int functions return exit codes. */
#ifndef UNSPIN_HELP_H
#define UNSPIN_HELP_H

#include <stdbool.h>
#include <stdio.h>
#include "options.h"

int help_overview(FILE *out);
int help_command(enum command command);

/* Says on stderr what is wrong and how the command is used; returns EXIT_USAGE. */
int help_wrong_use(enum command command, const char *what);

/* Every setting and profile, as text or as docs/CONFIG.md (help_config.c). */
int help_config(bool is_markdown);
void help_settings(FILE *out);
void help_profiles(FILE *out);

/* Every counter, field, reason and strategy (describe.c). */
int help_describe(bool is_json, bool is_markdown);

/* unspin(1) in roff (help_man.c). */
int help_man(void);

#endif
