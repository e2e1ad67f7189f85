/* SPDX-License-Identifier: MIT */
/*
 * Command line of the example programs: one row per option is parser, range check and --help.
 *
 * Header only, because every program here is built from its own directory alone. The default of
 * an option is what its variable holds before the parse; it is written nowhere else.
 */
#ifndef EXAMPLES_COMMON_OPTIONS_H
#define EXAMPLES_COMMON_OPTIONS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One option. Exactly one of flag, number and text is set; a table ends with a NULL name. */
struct option_row {
	const char *name; /* without the dashes */
	const char *unit; /* what the value is, for --help; NULL for a flag */
	bool *flag;
	long *number;
	const char **text;
	long min, max; /* of number, both included */
	const char *help;
	const char *only; /* arbitrary tag: who understands the option; NULL: everybody */
	bool is_set;	  /* written by options_parse: it was on the command line */
};

static inline void options_print_default(const struct option_row *row)
{
	if (row->number)
		printf(" (%ld)", *row->number);
	else if (row->text && *row->text)
		printf(" (%s)", *row->text);
	if (row->only)
		printf(" [%s]", row->only);
	putchar('\n');
}

/* The --help lines of the table on stdout; in brackets the values as they are now, which are the
 * defaults but for what the same command line changed. */
static inline void options_print(const struct option_row *rows)
{
	for (; rows->name; rows++) {
		int width = printf("  --%s%s%s", rows->name, rows->unit ? " " : "",
				   rows->unit ? rows->unit : "");

		printf("%*s%s", width < 22 ? 22 - width : 1, "", rows->help);
		options_print_default(rows);
	}
}

static inline int options_set_number(struct option_row *row, const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < row->min || value > row->max) {
		fprintf(stderr, "--%s: '%s' is not a number from %ld to %ld\n", row->name, text,
			row->min, row->max);
		return -EINVAL;
	}
	*row->number = value;
	return 0;
}

static inline int options_set(struct option_row *row, const char *value)
{
	row->is_set = true;
	if (row->number)
		return options_set_number(row, value);
	if (row->text)
		*row->text = value;
	else
		*row->flag = true;
	return 0;
}

static inline struct option_row *options_find(struct option_row *rows, const char *name, size_t len)
{
	for (; rows->name; rows++)
		if (strlen(rows->name) == len && !memcmp(rows->name, name, len))
			return rows;
	return NULL;
}

/* Take "--name value", "--name=value" or "--flag" at *argv; ret_taken: arguments used up. */
static inline int options_take(struct option_row *rows, char **argv, int *ret_taken)
{
	const char *name = argv[0] + 2, *equals = strchr(name, '=');
	const char *value = equals ? equals + 1 : argv[1];
	struct option_row *row;

	row = options_find(rows, name, equals ? (size_t)(equals - name) : strlen(name));
	if (!row) {
		fprintf(stderr, "unknown option '%s', see --help\n", argv[0]);
		return -EINVAL;
	}
	if (row->flag ? equals != NULL : value == NULL) {
		fprintf(stderr, "--%s %s\n", row->name,
			row->flag ? "takes no value" : "needs a value");
		return -EINVAL;
	}
	*ret_taken = row->flag || equals ? 1 : 2;
	return options_set(row, value);
}

/*
 * Parse argv (which starts with the program's name) into the variables of the rows. Returns 0,
 * or -EINVAL after saying on stderr what is wrong; then some variables are already changed.
 */
static inline int options_parse(struct option_row *rows, char **argv)
{
	int ret, taken = 1;

	for (argv++; *argv; argv += taken) {
		if (strncmp(*argv, "--", 2) || !(*argv)[2]) {
			fprintf(stderr, "unexpected argument '%s', see --help\n", *argv);
			return -EINVAL;
		}
		ret = options_take(rows, argv, &taken);
		if (ret < 0)
			return ret;
	}
	return 0;
}

#endif
