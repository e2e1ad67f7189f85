/* SPDX-License-Identifier: MIT */
/* `unspin run`: sets the environment, warns, and becomes the program. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "check.h"
#include "help.h"
#include "library.h"
#include "profile.h"

/* What the options asked for. Settings are applied in the order given, profiles before them. */
struct wishes {
	char **program; /* NULL-ended */
	bool is_quiet;
};

/* Is the path one of the names in an LD_PRELOAD value? */
static bool is_listed(const char *list, const char *path)
{
	size_t length = strlen(path);

	for (const char *at = list; *at; at += strspn(at, " :")) {
		size_t name = strcspn(at, " :");

		if (name == length && !memcmp(at, path, length))
			return true;
		at += name;
	}
	return false;
}

/* Our library in front; a library that insists on being first (ASan) before it. */
static int set_preload(const char *library, const char *first)
{
	const char *present = getenv("LD_PRELOAD");
	char *list;
	int ret;

	present = present ? present : "";
	if (is_listed(present, library))
		return 0;
	if (first[0] && is_listed(present, first))
		first = "";
	if (asprintf(&list, "%s%s%s%s%s", first, first[0] ? ":" : "", library,
		     present[0] ? ":" : "", present) < 0)
		return -1;
	ret = setenv("LD_PRELOAD", list, 1);
	free(list);
	return ret;
}

/*
 * Two passes, because --set wins over --profile whatever their order: profiles only fill what is
 * not set, settings overwrite.
 */
static int take_options(char **arguments, bool is_first_pass, struct wishes *wishes)
{
	struct options options;
	int found, ret = 0;

	options_begin(&options, COMMAND_run, arguments);
	while (ret == 0 && (found = options_next(&options)) != OPTIONS_END) {
		if (found == OPTIONS_ARGUMENT) {
			wishes->program = options.next - 1;
			break;
		}
		if (found == OPTIONS_HELP || found == OPTIONS_ERROR)
			return found;
		if (found == OPTION_run_quiet)
			wishes->is_quiet = true;
		else if (found == OPTION_run_profile && is_first_pass)
			ret = profile_apply(options.value);
		else if (found == OPTION_run_set && !is_first_pass)
			ret = profile_set(options.value);
		else if (found == OPTION_run_observe && !is_first_pass)
			ret = profile_set("mode=observe");
	}
	return ret ? OPTIONS_ERROR : 0;
}

/* The library's path, or an exit code after saying what is wrong. */
static int find_library(char *ret_path, size_t room)
{
	if (!library_find(ret_path, room))
		fprintf(stderr,
			"unspin run: libunspin.so not found (looked for %s); name it in "
			"UNSPIN_LIBRARY\n",
			ret_path);
	else if (!library_can_be_preloaded(ret_path))
		fprintf(stderr, "unspin run: %s: %s; %s\n", ret_path,
			check_finding(FINDING_LIBRARY_PATH)->meaning,
			check_finding(FINDING_LIBRARY_PATH)->remedy);
	else
		return 0;
	return EXIT_USAGE;
}

static int complain_exec(const char *program, int error)
{
	const char *what = strerror(error);

	/* ENOENT about a file that exists is about its interpreter (#! line or PT_INTERP). */
	if (error == ENOENT)
		what = strchr(program, '/') && access(program, F_OK) == 0
			       ? "the interpreter it names was not found"
			       : "not found";
	fprintf(stderr, "unspin run: %s: %s\n", program, what);
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

static void warn(const struct wishes *wishes, const struct report *report)
{
	if (wishes->is_quiet)
		return;
	profile_complain_environment();
	if (report->worst < SEVERITY_WARNING)
		return;
	fprintf(stderr, "unspin run: %s:\n", wishes->program[0]);
	check_print(stderr, report, SEVERITY_WARNING, 2);
}

/*
 * Preloads the library, unless that would keep the program from starting: a server that runs
 * without the shim is better than none.
 */
static int prepare(const struct wishes *wishes, const char *library)
{
	struct report report;

	/* A program that cannot be found: execvp() will say so. */
	if (check_program(wishes->program[0], &report))
		return set_preload(library, "");
	warn(wishes, &report);
	if (!check_has(&report, FINDING_MUSL))
		return set_preload(library, report.first_library);
	if (!wishes->is_quiet)
		fprintf(stderr, "unspin run: %s: started without the shim\n", wishes->program[0]);
	return 0;
}

int command_run(char **arguments)
{
	struct wishes wishes = { 0 };
	char library[CHECK_PATH_MAX];
	int found = take_options(arguments, true, &wishes);

	if (found == OPTIONS_HELP)
		return help_command(COMMAND_run);
	if (found == 0)
		found = take_options(arguments, false, &wishes);
	if (found == OPTIONS_ERROR)
		return EXIT_USAGE;
	if (!wishes.program)
		return help_wrong_use(COMMAND_run, "which program?");
	if (find_library(library, sizeof(library)))
		return EXIT_USAGE;
	if (prepare(&wishes, library) < 0) {
		perror("unspin run");
		return EXIT_USAGE;
	}
	fflush(NULL);
	execvp(wishes.program[0], wishes.program);
	return complain_exec(wishes.program[0], errno);
}
