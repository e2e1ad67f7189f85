/* SPDX-License-Identifier: MIT */
/* The tables of `unspin stat PID` about the process as a whole: call sites of waste, decisions. */
#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include "derive.h"
#include "names.h"
#include "symbol.h"
#include "table.h"
#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { INDENT = 2, SHOWN = 8 };

static int compare_waste(const void *a, const void *b)
{
	const struct waste_site *x = *(const struct waste_site *const *)a;
	const struct waste_site *y = *(const struct waste_site *const *)b;
	uint64_t x_waste = derive_waste(x), y_waste = derive_waste(y);

	if (x_waste != y_waste)
		return x_waste < y_waste ? 1 : -1;
	return (x > y) - (x < y);
}

static void add_site(struct table *table, const struct stats_view *view,
		     const struct waste_site *site)
{
	const struct scope_row *scope = &names_scopes[SCOPE_SITES];

	for (unsigned c = 0; c < scope->count; c++)
		table_cell(table, "%s", text_short(names_cell(&scope->counters[c], site)));
	if (site->is_shared)
		table_cell(table, "several");
	else
		table_cell(table, "%d", site->tid);
	table_cell(table, "%s", symbol_text(view, site->address));
}

/* Where in the program it waits, reads and accepts for nothing, the worst place first. */
void dump_text_sites(FILE *out, const struct stats_view *view, bool all)
{
	const struct scope_row *scope = &names_scopes[SCOPE_SITES];
	struct table_column columns[16];
	const struct waste_site *list[STATS_WASTE_SITES];
	struct table table;
	uint32_t count = 0, shown;

	for (unsigned i = 0; i < scope->count; i++)
		columns[i] = (struct table_column){ .title = scope->counters[i].name,
						    .is_right = true };
	columns[scope->count] = (struct table_column){ .title = "THREAD", .is_right = true };
	columns[scope->count + 1] = (struct table_column){ .title = "CALLED FROM" };
	for (uint32_t i = 0; i < STATS_WASTE_SITES; i++)
		if (view->header.waste[i].address)
			list[count++] = &view->header.waste[i];
	qsort(list, count, sizeof(list[0]), compare_waste);
	shown = all || count < SHOWN ? count : SHOWN;
	if (count)
		fprintf(out, "\nCALL SITES OF WASTE %s%s\n", text_count(count),
			shown < count ? ", the worst (--all shows the others)" : "");
	table_begin(&table, columns, scope->count + 2);
	for (uint32_t i = 0; i < shown; i++)
		add_site(&table, view, list[i]);
	table_print(&table, out, INDENT);
}

void dump_text_decisions(FILE *out, const struct stats_view *view, bool all)
{
	static const struct table_column columns[] = {
		{ .title = "AFTER", .is_right = true },
		{ .title = "FD", .is_right = true },
		{ .title = "DID" },
		{ .title = "BUFFER", .is_right = true },
		{ .title = "WHY", .is_wrapped = true },
	};
	struct decision_row *rows;
	struct table table;
	uint32_t count = dump_decisions(view, &rows), shown = all || count < SHOWN ? count : SHOWN;

	table_begin(&table, columns, COUNT(columns));
	if (count) {
		fprintf(out, "\nDECISIONS %s", text_count(rows[0].sequence));
		fprintf(out,
			shown < count ? ", the last %" PRIu32 " (--all shows more)\n"
				      : ", newest first\n",
			shown);
	}
	for (const struct decision_row *row = rows; row < rows + shown; row++) {
		uint64_t start = view->header.started_monotonic_ns;

		table_cell(&table, "%s",
			   text_duration(row->time_ns > start ? row->time_ns - start : 0));
		table_cell(&table, "%d", row->fd);
		table_cell(&table, "%s", names_strategy(row->strategy));
		if (row->from_bytes == row->to_bytes)
			table_cell(&table, "%s", text_size(row->to_bytes));
		else
			table_cell(&table, "%s>%s", text_size(row->from_bytes),
				   text_size(row->to_bytes));
		table_cell(&table, "%s", names_reason_text(row->reason));
	}
	table_print(&table, out, INDENT);
	free(rows);
}
