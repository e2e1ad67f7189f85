/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <stdlib.h>
#include <string.h>
#include "advice.h"
#include "derive.h"
#include "names.h"
#include "settings.h"
#include "table.h"
#include "text.h"

enum { INDENT = 2 };

static void print_state(FILE *out, const struct stats_view *view, const struct dump_about *about)
{
	uint64_t started = view->header.started_ns;
	uint64_t age = about->now_ns > started ? about->now_ns - started : 0;

	if (about->state == PROCESS_RUNNING)
		fprintf(out, "running, counting for %s", text_duration(age));
	else if (about->state == PROCESS_REPLACED)
		fprintf(out, "gone: the pid is another program now; counting began %s ago",
			text_duration(age));
	else
		fprintf(out, "%s, counting began %s ago", process_state_name(about->state),
			text_duration(age));
}

static void print_heading(FILE *out, const struct stats_view *view, const struct dump_about *about)
{
	const struct stats_header *header = &view->header;

	fprintf(out, "%s, pid %d: ", text_clean(names_program(header)), header->pid);
	print_state(out, view, about);
	fprintf(out, ", mode %s\n", names_mode(header->mode));
	fprintf(out, "%*s%s", INDENT, "", text_clean(header->exe));
	if (header->parent_pid)
		fprintf(out, ", child of %d", header->parent_pid);
	fprintf(out, ", unspin %s\n", text_clean(header->version_text));
	fprintf(out, "%*sfile %s\n", INDENT, "", text_clean(about->path));
}

static void add_counters(struct table *table, enum scope scope, const void *base, bool all)
{
	const struct scope_row *row = &names_scopes[scope];

	for (unsigned i = 0; i < row->count; i++) {
		const struct counter *counter = &row->counters[i];
		uint64_t value = names_cell(counter, base);

		if (!value && !all)
			continue;
		table_cell(table, "%s", counter->name);
		table_cell(table, "%s", text_value(value, counter->unit));
		table_cell(table, "%s", counter->help);
	}
}

static void print_counters(FILE *out, const struct stats_view *view, bool all)
{
	static const struct table_column columns[] = {
		{ .title = "COUNTER" },
		{ .title = "VALUE", .is_right = true },
		{ .title = "MEANING", .is_wrapped = true },
	};
	uint64_t total[TOTAL_COUNT];
	struct table table;

	derive_totals(view, total);
	table_begin(&table, columns, sizeof(columns) / sizeof(columns[0]));
	add_counters(&table, SCOPE_TOTALS, total, all);
	add_counters(&table, SCOPE_GLOBALS, view->header.global, all);
	putc('\n', out);
	if (!table_rows(&table))
		fprintf(out, "%*sNothing counted yet.\n", INDENT, "");
	table_print(&table, out, INDENT);
	if (!all)
		fprintf(out, "%*sCounters at zero are not shown (--all shows them).\n", INDENT, "");
}

/* Only what differs from the defaults: the rest is in `unspin help config`. */
static void print_settings(FILE *out, const struct stats_view *view)
{
	const struct stats_header *header = &view->header;
	char value[SETTINGS_TEXT_MAX], complaint[SETTINGS_SENTENCE_MAX];
	unsigned shown = 0;

	for (unsigned i = 0; i < header->option_count && i < CONFIG_COUNT; i++) {
		if (!header->option_is_set[i])
			continue;
		settings_value((enum config_option)i, header->option_value[i], header->stats_dir,
			       value);
		fprintf(out, "%s%s=%s",
			shown++ ? ", " : "\nSETTINGS from the environment: ", config_rows[i].key,
			text_clean(value));
	}
	fputs(shown ? "\n" : "\nSETTINGS all at their defaults\n", out);
	for (unsigned i = 0; i < header->problem_count && i < CONFIG_PROBLEMS_MAX; i++) {
		settings_complaint(&header->problem[i], complaint);
		fprintf(out, "%*s", INDENT, "");
		text_wrap(out, text_clean(complaint), INDENT, 2 * INDENT, TEXT_WIDTH);
	}
}

void dump_text(FILE *out, const struct stats_view *view, const struct dump_about *about, bool all)
{
	char *advice = advice_text(view);

	print_heading(out, view, about);
	print_counters(out, view, all);
	dump_text_sockets(out, view, all);
	dump_text_threads(out, view, all);
	dump_text_epolls(out, view, all);
	dump_text_sites(out, view, all);
	dump_text_classes(out, view, all);
	dump_text_decisions(out, view, all);
	print_settings(out, view);
	putc('\n', out);
	text_wrap(out, advice, 0, 0, TEXT_WIDTH);
	free(advice);
}
