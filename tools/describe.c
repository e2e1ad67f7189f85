/* SPDX-License-Identifier: MIT */
/* `unspin stat --describe`: what every number and word in the statistics means. */
#include "help.h"

#include <string.h>
#include "command.h"
#include "emit.h"
#include "names.h"
#include "table.h"
#include "text.h"

enum part { PART_COUNTER, PART_FIELD, PART_REASON, PART_STRATEGY };

/* One line of the description, wherever it comes from. */
struct line {
	const char *scope, *name, *unit, *help;
};

typedef void line_visitor(const struct line *line, void *context);

static const struct line fields[] = {
#define PROCESS_FIELD(name, unit, type, value, help)  { "process", #name, unit, help },
#define THREAD_FIELD(name, unit, type, value, help)   { "threads", #name, unit, help },
#define SOCKET_FIELD(name, unit, type, value, help)   { "sockets", #name, unit, help },
#define EPOLL_FIELD(name, unit, type, value, help)    { "epolls", #name, unit, help },
#define CLASS_FIELD(name, unit, type, value, help)    { "classes", #name, unit, help },
#define SITE_FIELD(name, unit, type, value, help)     { "sites", #name, unit, help },
#define DECISION_FIELD(name, unit, type, value, help) { "decisions", #name, unit, help },
#define CONFIG_FIELD(name, unit, type, value, help)   { "config", #name, unit, help },
#define PROBLEM_FIELD(name, unit, type, value, help)  { "problems", #name, unit, help },
#include "fields.def"
};

static void each_counter(line_visitor *visit, void *context)
{
	for (unsigned s = 0; s < SCOPE_COUNT; s++) {
		const struct scope_row *scope = &names_scopes[s];

		for (unsigned i = 0; i < scope->count; i++)
			visit(&(struct line){ scope->name, scope->counters[i].name,
					      scope->counters[i].unit, scope->counters[i].help },
			      context);
	}
}

static void each_line(enum part part, line_visitor *visit, void *context)
{
	switch (part) {
	case PART_COUNTER:
		each_counter(visit, context);
		break;
	case PART_FIELD:
		for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			visit(&fields[i], context);
		break;
	case PART_REASON:
		for (uint32_t i = 0; i < REASON_COUNT; i++)
			visit(&(struct line){ "", names_reason(i), "", names_reason_text(i) },
			      context);
		break;
	case PART_STRATEGY:
		for (uint32_t i = 0; i < STRATEGY_COUNT; i++)
			visit(&(struct line){ "", names_strategy(i), "", names_strategy_text(i) },
			      context);
		break;
	}
}

static const struct {
	enum part part;
	const char *key, *title, *meaning;
	bool has_unit;
} parts[] = {
	{ PART_COUNTER, "counters", "Counters",
	  "Past events, counted since the process's first socket. Scope totals: sums over all "
	  "threads of the process, also ended ones (each row of threads[] has the same counters "
	  "for itself); globals: of the process as a whole; sockets: of one socket; epolls: of one "
	  "epoll set; classes: of one class of responses (listener or dialled port, call site, size); "
	  "sites: of one call site that waits, reads or accepts for nothing.",
	  true },
	{ PART_FIELD, "fields", "Fields",
	  "What else `unspin stat --json PID` holds: who was counted, and what is computed.",
	  true },
	{ PART_REASON, "reasons", "Reasons",
	  "Why a socket is treated as it is: the word in `reason`, the sentence in `reason_text`.",
	  false },
	{ PART_STRATEGY, "strategies", "Strategies", "What is done about a socket.", false },
};

static void line_to_json(const struct line *line, void *context)
{
	struct emit *emit = context;

	emit_object(emit, NULL);
	if (line->scope[0])
		emit_string(emit, "scope", line->scope);
	emit_string(emit, "name", line->name);
	if (line->unit[0])
		emit_string(emit, "unit", line->unit);
	emit_string(emit, "meaning", line->help);
	emit_end(emit);
}

static void describe_json(void)
{
	struct emit emit;

	emit_begin(&emit, stdout);
	emit_object(&emit, NULL);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		emit_array(&emit, parts[i].key);
		each_line(parts[i].part, line_to_json, &emit);
		emit_end(&emit);
	}
	emit_end(&emit);
}

static void line_to_table(const struct line *line, void *context)
{
	struct table *table = context;

	if (table->column_count == 4) {
		table_cell(table, "%s", line->scope);
		table_cell(table, "%s", line->name);
		table_cell(table, "%s", line->unit);
	} else {
		table_cell(table, "%s", line->name);
	}
	table_cell(table, "%s", line->help);
}

static void describe_text(void)
{
	static const struct table_column full[] = {
		{ .title = "SCOPE" },
		{ .title = "NAME" },
		{ .title = "UNIT" },
		{ .title = "MEANING", .is_wrapped = true },
	};
	static const struct table_column brief[] = {
		{ .title = "WORD" },
		{ .title = "MEANING", .is_wrapped = true },
	};
	struct table table;

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		printf("%s%s\n", i ? "\n" : "", parts[i].title);
		text_wrap(stdout, parts[i].meaning, 0, 0, TEXT_WIDTH);
		putchar('\n');
		table_begin(&table, parts[i].has_unit ? full : brief, parts[i].has_unit ? 4 : 2);
		each_line(parts[i].part, line_to_table, &table);
		table_print(&table, stdout, 2);
	}
}

static void line_to_markdown(const struct line *line, void *context)
{
	(void)context;
	if (line->scope[0])
		printf("| %s | `%s` | %s | %s |\n", line->scope, line->name, line->unit,
		       line->help);
	else
		printf("| `%s` | %s |\n", line->name, line->help);
}

static void describe_markdown(void)
{
	puts("<!-- Generated by `make docs` from shim/stats.def, tools/fields.def and policy/: do "
	     "not edit. -->\n# Statistics\n\n`unspin stat --describe` prints the same.");
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		printf("\n## %s\n\n", parts[i].title);
		text_wrap(stdout, parts[i].meaning, 0, 0, TEXT_WIDTH);
		puts(parts[i].has_unit ? "\n| Scope | Name | Unit | Meaning |\n|---|---|---|---|"
				       : "\n| Word | Meaning |\n|---|---|");
		each_line(parts[i].part, line_to_markdown, NULL);
	}
}

int help_describe(bool is_json, bool is_markdown)
{
	if (is_json)
		describe_json();
	else if (is_markdown)
		describe_markdown();
	else
		describe_text();
	return EXIT_OK;
}
