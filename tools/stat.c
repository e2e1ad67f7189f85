/* SPDX-License-Identifier: MIT */
/* `unspin stat`: one process, or all of them. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "dump.h"
#include "find.h"
#include "help.h"
#include "list.h"
#include "../shim/stats_dir.h"

enum { WATCH_SECONDS = 2, WATCH_SECONDS_MAX = 86400 };

struct wishes {
	bool is_set[OPTION_COUNT];
	const char *argument[2]; /* PID or FILE; with --watch: [SECONDS] PID or FILE */
	unsigned argument_count;
};

static uint64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum read_problem load_file(const char *path, struct stats_view *ret_view,
				   enum process_state *ret_state, char *ret_path, int *ret_errno)
{
	enum read_problem problem = read_load(AT_FDCWD, path, ret_view, ret_errno);

	snprintf(ret_path, DUMP_PATH_MAX, "%s", path);
	if (problem == READ_OK)
		*ret_state = process_state(ret_view, ret_view->header.pid);
	return problem;
}

/* A process by its number or a file by its path; READ_OK or what went wrong, already said. */
static enum read_problem load(const char *what, struct stats_view *ret_view,
			      enum process_state *ret_state, char *ret_path)
{
	enum read_problem problem = READ_SYSTEM;
	int pid = stats_dir_pid(what), error = ENOENT;

	if (pid)
		problem = find_pid(pid, ret_view, ret_state, ret_path, &error);
	/* No such process: a file may have a number for a name, too. */
	if (problem == READ_SYSTEM && error == ENOENT && (!pid || access(what, F_OK) == 0))
		problem = load_file(what, ret_view, ret_state, ret_path, &error);
	if (pid && problem == READ_SYSTEM && error == ENOENT)
		list_explain_missing(pid);
	else if (problem != READ_OK)
		read_complain(ret_path, problem, error);
	return problem;
}

static int show_one(const char *what, const struct wishes *wishes, enum process_state *ret_state)
{
	char path[DUMP_PATH_MAX];
	struct stats_view view;
	struct dump_about about = { .path = path };
	struct emit emit;

	if (load(what, &view, &about.state, path) != READ_OK)
		return EXIT_PROBLEM;
	about.now_ns = wall_clock_ns();
	*ret_state = about.state;
	if (wishes->is_set[OPTION_stat_json]) {
		emit_begin(&emit, stdout);
		dump_json(&emit, NULL, &view, &about);
	} else {
		dump_text(stdout, &view, &about, wishes->is_set[OPTION_stat_all]);
	}
	read_free(&view);
	return EXIT_OK;
}

/* Until the process has ended or the user has seen enough (Ctrl-C). */
static int watch(const struct wishes *wishes)
{
	bool has_seconds = wishes->argument_count == 2;
	const char *what = wishes->argument[has_seconds];
	long seconds = has_seconds ? strtol(wishes->argument[0], NULL, 10) : WATCH_SECONDS;
	enum process_state state = PROCESS_RUNNING;
	int code = EXIT_OK;

	if (!what || seconds < 1 || seconds > WATCH_SECONDS_MAX)
		return help_wrong_use(COMMAND_stat, "--watch needs [SECONDS] PID");
	while (code == EXIT_OK) {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		code = show_one(what, wishes, &state);
		fflush(stdout);
		if (state != PROCESS_RUNNING)
			break;
		sleep((unsigned)seconds);
	}
	return code;
}

static int parse(char **arguments, struct wishes *wishes)
{
	struct options options;
	int found;

	*wishes = (struct wishes){ 0 };
	options_begin(&options, COMMAND_stat, arguments);
	while ((found = options_next(&options)) != OPTIONS_END) {
		if (found == OPTIONS_HELP || found == OPTIONS_ERROR)
			return found;
		if (found >= 0)
			wishes->is_set[found] = true;
		else if (wishes->argument_count < 2)
			wishes->argument[wishes->argument_count++] = options.value;
		else
			wishes->argument_count++;
	}
	return OPTIONS_END;
}

int command_stat(char **arguments)
{
	enum process_state state;
	struct wishes wishes;
	int found = parse(arguments, &wishes);

	if (found == OPTIONS_HELP)
		return help_command(COMMAND_stat);
	if (found == OPTIONS_ERROR)
		return EXIT_USAGE;
	if (wishes.argument_count > 1u + wishes.is_set[OPTION_stat_watch])
		return help_wrong_use(COMMAND_stat, "one PID or FILE at a time");
	if (wishes.is_set[OPTION_stat_describe])
		return help_describe(wishes.is_set[OPTION_stat_json],
				     wishes.is_set[OPTION_stat_markdown]);
	if (wishes.is_set[OPTION_stat_clean])
		return list_clean();
	if (wishes.is_set[OPTION_stat_watch])
		return watch(&wishes);
	if (wishes.argument_count == 1)
		return show_one(wishes.argument[0], &wishes, &state);
	if (wishes.is_set[OPTION_stat_json])
		return list_json(wall_clock_ns());
	return list_text(wall_clock_ns(), wishes.is_set[OPTION_stat_all]);
}
