/* SPDX-License-Identifier: MIT */
/* `unspin check`: findings into words. */
#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "help.h"
#include "text.h"
#include "../shim/stats_dir.h"

static const struct finding_row rows[FINDING_COUNT] = {
#define FINDING(id, severity, meaning, remedy) { #id, SEVERITY_##severity, meaning, remedy },
#include "finding.def"
};

const struct finding_row *check_finding(enum finding_id id)
{
	return &rows[id];
}

const char *check_severity(enum severity severity)
{
	static const char *const names[] = { "ok", "note", "warning", "blind" };

	return names[severity];
}

bool check_has(const struct report *report, enum finding_id id)
{
	for (unsigned i = 0; i < report->count; i++)
		if (report->findings[i].id == id)
			return true;
	return false;
}

void check_add(struct report *report, enum finding_id id, const char *detail)
{
	if (check_has(report, id))
		return;
	if (rows[id].severity > report->worst)
		report->worst = rows[id].severity;
	if (report->count == CHECK_FINDINGS_MAX)
		return;
	report->findings[report->count].id = id;
	snprintf(report->findings[report->count].detail, CHECK_PATH_MAX, "%s", detail);
	report->count++;
}

static void print_finding(FILE *out, const struct finding_row *row, const char *detail,
			  unsigned indent)
{
	char sentence[2 * CHECK_PATH_MAX + 512];

	snprintf(sentence, sizeof(sentence), "%s%s%s%s", row->meaning, detail[0] ? " [" : "",
		 text_clean(detail), detail[0] ? "]" : "");
	fprintf(out, "%*s%-9s", (int)indent, "", check_severity(row->severity));
	text_wrap(out, sentence, indent + 9, indent + 9, TEXT_WIDTH);
	if (!row->remedy[0])
		return;
	snprintf(sentence, sizeof(sentence), "What to do: %s.", row->remedy);
	fprintf(out, "%*s", (int)indent + 9, "");
	text_wrap(out, sentence, indent + 9, indent + 9, TEXT_WIDTH);
}

void check_print(FILE *out, const struct report *report, enum severity least, unsigned indent)
{
	/* The gravest last: that is where eyes and prompt are. */
	for (enum severity severity = least; severity <= SEVERITY_BLIND; severity++) {
		for (unsigned i = 0; i < report->count; i++) {
			const struct finding_row *row = &rows[report->findings[i].id];

			if (row->severity == severity)
				print_finding(out, row, report->findings[i].detail, indent);
		}
	}
}

static void small_letters(const char *from, char *to, size_t room)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < room; i++)
		to[i] = (char)tolower((unsigned char)from[i]);
	to[i] = '\0';
}

void check_json(struct emit *emit, const struct report *report)
{
	char name[32];

	emit_object(emit, NULL);
	emit_string(emit, "program", report->asked);
	emit_number(emit, "pid", (uint64_t)report->pid);
	emit_string(emit, "verdict", report->worst == SEVERITY_BLIND ? "blind" : "visible");
	emit_string(emit, "library", report->library);
	emit_array(emit, "chain");
	for (unsigned i = 0; i < report->links; i++)
		emit_string(emit, NULL, report->chain[i]);
	emit_end(emit);
	emit_array(emit, "findings");
	for (unsigned i = 0; i < report->count; i++) {
		const struct finding_row *row = &rows[report->findings[i].id];

		small_letters(row->name, name, sizeof(name));
		emit_object(emit, NULL);
		emit_string(emit, "id", name);
		emit_string(emit, "severity", check_severity(row->severity));
		emit_string(emit, "detail", report->findings[i].detail);
		emit_string(emit, "meaning", row->meaning);
		emit_string(emit, "remedy", row->remedy);
		emit_end(emit);
	}
	emit_end(emit);
	emit_end(emit);
}

static void print_verdict(const struct report *report)
{
	static const char *const verdicts[2][2] = {
		{ "the shim will see it", "the shim will see nothing of it" },
		{ "the shim sees it", "the shim sees nothing of it" },
	};

	printf("%s: %s", text_clean(report->asked),
	       verdicts[report->pid != 0][report->worst == SEVERITY_BLIND]);
	if (report->worst == SEVERITY_WARNING)
		fputs(", with limits", stdout);
	printf("\n  ");
	for (unsigned i = 0; i < report->links; i++)
		printf("%s%s", i ? " -> " : "", text_clean(report->chain[i]));
	putchar('\n');
	check_print(stdout, report, SEVERITY_OK, 2);
}

static int check(const char *what, struct report *report)
{
	int pid = stats_dir_pid(what), error = ESRCH;

	if (pid)
		error = check_process(pid, report);
	/* A program may be called 1234, too. */
	if (error == ESRCH)
		error = check_program(what, report);
	if (!error)
		return 0;
	if (error == ENOENT && pid && report->links < 2)
		fprintf(stderr, "unspin check: no process and no program %s\n", what);
	else if (report->links > 1)
		fprintf(stderr, "unspin check: %s: its interpreter %s: %s\n", what,
			report->chain[report->links - 1], strerror(error));
	else if (error == ENOENT && !strchr(what, '/'))
		fprintf(stderr, "unspin check: %s: not found in PATH\n", what);
	else
		fprintf(stderr, "unspin check: %s: %s\n", what, strerror(error));
	return error;
}

int command_check(char **arguments)
{
	const char *what = NULL;
	struct options options;
	struct report report;
	bool is_json = false;
	struct emit emit;
	int found;

	options_begin(&options, COMMAND_check, arguments);
	while ((found = options_next(&options)) != OPTIONS_END) {
		if (found == OPTIONS_ERROR)
			return EXIT_USAGE;
		if (found == OPTIONS_HELP)
			return help_command(COMMAND_check);
		if (found == OPTION_check_json)
			is_json = true;
		else if (!what)
			what = options.value;
		/* Further words are the program's own arguments: they do not matter here. */
	}
	if (!what)
		return help_wrong_use(COMMAND_check, "which program?");
	if (check(what, &report))
		return EXIT_USAGE;
	if (is_json) {
		emit_begin(&emit, stdout);
		check_json(&emit, &report);
	} else {
		print_verdict(&report);
	}
	return report.worst == SEVERITY_BLIND ? EXIT_PROBLEM : EXIT_OK;
}
