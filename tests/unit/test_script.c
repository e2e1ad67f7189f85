/* SPDX-License-Identifier: MIT */
/* needs: tools/script.c */
#include "unit.h"

#include <stdlib.h>
#include "tools/script.h"

static void assert_line(const char *text, const char *interpreter, const char *argument)
{
	size_t bytes = strlen(text);
	char *copy = malloc(bytes); /* exact: no zero behind it */
	struct script_line line;

	memcpy(copy, text, bytes);
	assert_int_equal(script_parse(copy, bytes, &line), interpreter != NULL);
	free(copy);
	if (!interpreter)
		return;
	assert_string_equal(line.interpreter, interpreter);
	assert_string_equal(line.argument, argument);
}

static void first_lines_are_split_as_the_kernel_does(void **unused)
{
	(void)unused;
	assert_line("#!/bin/sh\nexit\n", "/bin/sh", "");
	assert_line("#! /usr/bin/perl -w -T \r\n", "/usr/bin/perl", "-w -T");
	assert_line("#!/usr/bin/env python3", "/usr/bin/env", "python3");
	assert_line("#!\t/bin/a\tb", "/bin/a", "b");
}

static void what_is_no_first_line_is_refused(void **unused)
{
	(void)unused;
	assert_line("#!", NULL, NULL);
	assert_line("#!\n/bin/sh", NULL, NULL);
	assert_line("#!   \n", NULL, NULL);
	assert_line("# !/bin/sh", NULL, NULL);
	assert_line("x", NULL, NULL);
}

static void very_long_lines_are_cut(void **unused)
{
	char text[2000] = "#!/", *end = text + sizeof(text);
	struct script_line line;

	(void)unused;
	memset(text + 3, 'a', (size_t)(end - text) - 3);
	assert_true(script_parse(text, sizeof(text), &line));
	assert_int_equal(strlen(line.interpreter), SCRIPT_NAME_MAX - 1);
}

static void assert_env(const char *argument, const char *program, bool is_cleared)
{
	char found[SCRIPT_NAME_MAX];
	bool cleared;

	assert_int_equal(script_env_program(argument, found, &cleared), program != NULL);
	assert_int_equal(cleared, is_cleared);
	if (program)
		assert_string_equal(found, program);
}

static void env_is_seen_through(void **unused)
{
	(void)unused;
	assert_env("python3", "python3", false);
	assert_env("-S node --max-old-space-size=4", "node", false);
	assert_env("-Snode --flag", "node", false);
	assert_env("--split-string=node x", "node", false);
	assert_env("-S A=1 -u HOME B=2 ruby", "ruby", false);
	assert_env("", NULL, false);
	assert_env("A=1", NULL, false);
}

static void a_cleared_environment_is_noticed(void **unused)
{
	(void)unused;
	assert_env("-S -i python3", "python3", true);
	assert_env("-S - python3", "python3", true);
	assert_env("-S --ignore-environment python3", "python3", true);
	assert_env("-S python3 -i", "python3", false); /* python's own option */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_lines_are_split_as_the_kernel_does),
		cmocka_unit_test(what_is_no_first_line_is_refused),
		cmocka_unit_test(very_long_lines_are_cut),
		cmocka_unit_test(env_is_seen_through),
		cmocka_unit_test(a_cleared_environment_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
