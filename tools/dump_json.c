/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <stdlib.h>
#include <string.h>
#include "advice.h"
#include "derive.h"
#include "names.h"
#include "settings.h"
#include "symbol.h"

static void emit_counters(struct emit *emit, enum scope scope, const void *base)
{
	const struct scope_row *row = &names_scopes[scope];

	for (unsigned i = 0; i < row->count; i++)
		emit_number(emit, row->counters[i].name, names_cell(&row->counters[i], base));
}

static void emit_process(struct emit *emit, const struct stats_view *view,
			 const struct dump_about *about)
{
	const struct stats_header *header = &view->header;
	char *advice = advice_text(view);

	for (char *c = advice; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
#define PROCESS_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
	free(advice);
}

static void emit_totals(struct emit *emit, const struct stats_view *view)
{
	uint64_t total[TOTAL_COUNT];

	derive_totals(view, total);
	emit_object(emit, names_scopes[SCOPE_TOTALS].name);
	emit_counters(emit, SCOPE_TOTALS, total);
	emit_object(emit, names_scopes[SCOPE_GLOBALS].name);
	emit_counters(emit, SCOPE_GLOBALS, view->header.global);
	emit_end(emit);
	emit_end(emit);
}

static void emit_socket(struct emit *emit, const struct stats_view *view, uint32_t index)
{
	char local[NAMES_ADDRESS_MAX], peer[NAMES_ADDRESS_MAX];
	struct socket_row row;

	if (!read_socket(view, index, &row))
		return;
	names_address(&row.local, local);
	names_address(&row.peer, peer);
	emit_object(emit, NULL);
#define SOCKET_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
	emit_counters(emit, SCOPE_SOCKETS, &row);
	emit_end(emit);
}

static void emit_thread(struct emit *emit, const struct stats_view *view, uint32_t index)
{
	struct thread_row row;

	if (!read_thread(view, index, &row))
		return;
	emit_object(emit, NULL);
#define THREAD_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
	emit_counters(emit, SCOPE_TOTALS, row.total);
	emit_end(emit);
}

static void emit_epoll(struct emit *emit, const struct stats_view *view, uint32_t index)
{
	struct epoll_row row;

	if (!read_epoll(view, index, &row))
		return;
	emit_object(emit, NULL);
#define EPOLL_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
	emit_counters(emit, SCOPE_EPOLLS, &row);
	emit_end(emit);
}

static void emit_class(struct emit *emit, const struct stats_view *view, uint32_t index)
{
	struct class_row row;

	if (!read_class(view, index, &row))
		return;
	emit_object(emit, NULL);
#define CLASS_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
	emit_counters(emit, SCOPE_CLASSES, &row);
	emit_end(emit);
}

static void emit_sites(struct emit *emit, const struct stats_view *view)
{
	emit_array(emit, names_scopes[SCOPE_SITES].name);
	for (unsigned i = 0; i < STATS_WASTE_SITES; i++) {
		const struct waste_site *row = &view->header.waste[i];

		if (!row->address)
			continue;
		emit_object(emit, NULL);
#define SITE_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
		emit_counters(emit, SCOPE_SITES, row);
		emit_end(emit);
	}
	emit_end(emit);
}

static int compare_newest_first(const void *a, const void *b)
{
	const struct decision_row *x = a, *y = b;

	return (x->sequence < y->sequence) - (x->sequence > y->sequence);
}

uint32_t dump_decisions(const struct stats_view *view, struct decision_row **ret_rows)
{
	uint32_t count = read_rows(view, SECTION_DECISIONS), found = 0;
	struct decision_row *rows = calloc((size_t)count + 1, sizeof(*rows));

	for (uint32_t i = 0; rows && i < count; i++)
		found += read_decision(view, i, &rows[found]);
	if (rows)
		qsort(rows, found, sizeof(*rows), compare_newest_first);
	*ret_rows = rows;
	return found;
}

static void emit_decisions(struct emit *emit, const struct stats_view *view)
{
	struct decision_row *rows;
	uint32_t count = dump_decisions(view, &rows);

	emit_array(emit, "decisions");
	for (const struct decision_row *row = rows; row < rows + count; row++) {
		emit_object(emit, NULL);
#define DECISION_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
		emit_end(emit);
	}
	emit_end(emit);
	free(rows);
}

/* A setting's value, to be emitted in the JSON type of its option. */
struct setting {
	enum config_option option;
	uint64_t value;
	const char *path;
};

static void emit_setting(struct emit *emit, const char *key, struct setting setting)
{
	char text[SETTINGS_TEXT_MAX];

	switch (config_rows[setting.option].kind) {
	case CONFIG_KIND_BOOL:
		emit_bool(emit, key, setting.value != 0);
		break;
	case CONFIG_KIND_UINT:
		emit_number(emit, key, setting.value);
		break;
	case CONFIG_KIND_ENUM:
	case CONFIG_KIND_SET:
	case CONFIG_KIND_PATH:
		settings_value(setting.option, setting.value, setting.path, text);
		emit_string(emit, key, text);
		break;
	}
}

static void emit_config(struct emit *emit, const struct stats_view *view)
{
	const struct stats_header *header = &view->header;

	emit_array(emit, "config");
	/* A newer writer may have options we have no name for; an older one has fewer. */
	for (unsigned i = 0; i < header->option_count && i < CONFIG_COUNT; i++) {
		const struct config_row *option = &config_rows[i];
		/* The directory in use is worth more than "set" or "not set". */
		bool is_path = option->kind == CONFIG_KIND_PATH;
		struct setting normal = { (enum config_option)i, option->def, "" };
		struct setting current = { (enum config_option)i,
					   is_path ? 1 : header->option_value[i],
					   header->stats_dir };

		emit_object(emit, NULL);
#define CONFIG_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
		emit_end(emit);
	}
	emit_end(emit);
}

static void emit_problems(struct emit *emit, const struct stats_view *view)
{
	char meant[SETTINGS_TEXT_MAX];

	emit_array(emit, "problems");
	for (unsigned i = 0; i < view->header.problem_count && i < CONFIG_PROBLEMS_MAX; i++) {
		const struct config_problem *problem = &view->header.problem[i];

		settings_did_you_mean(problem, meant);
		emit_object(emit, NULL);
#define PROBLEM_FIELD(name, unit, type, value, help) emit_##type(emit, #name, value);
#include "fields.def"
		emit_end(emit);
	}
	emit_end(emit);
}

static void emit_rows(struct emit *emit, const char *key, const struct stats_view *view,
		      enum section_id section,
		      void (*emit_row)(struct emit *, const struct stats_view *, uint32_t))
{
	emit_array(emit, key);
	for (uint32_t i = 0; i < read_rows(view, section); i++)
		emit_row(emit, view, i);
	emit_end(emit);
}

void dump_json(struct emit *emit, const char *key, const struct stats_view *view,
	       const struct dump_about *about)
{
	emit_object(emit, key);
	emit_process(emit, view, about);
	emit_totals(emit, view);
	emit_rows(emit, names_scopes[SCOPE_SOCKETS].name, view, SECTION_SOCKETS, emit_socket);
	emit_rows(emit, "threads", view, SECTION_THREADS, emit_thread);
	emit_rows(emit, names_scopes[SCOPE_EPOLLS].name, view, SECTION_EPOLLS, emit_epoll);
	emit_rows(emit, names_scopes[SCOPE_CLASSES].name, view, SECTION_CLASSES, emit_class);
	emit_sites(emit, view);
	emit_decisions(emit, view);
	emit_config(emit, view);
	emit_problems(emit, view);
	emit_end(emit);
}
