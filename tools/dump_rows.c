/* SPDX-License-Identifier: MIT */
/* The tables of `unspin stat PID`: one function per kind of row, busiest rows first. Those of the
 * process as a whole are in dump_process.c. */
#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "derive.h"
#include "names.h"
#include "symbol.h"
#include "table.h"
#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { INDENT = 2, SOCKETS_SHOWN = 20, OTHERS_SHOWN = 8 };

static uint32_t limit(uint32_t count, uint32_t shown, bool all)
{
	return all || count < shown ? count : shown;
}

/* "SOCKETS 43", with a hint when rows are left out. */
static void print_title(FILE *out, const char *title, uint32_t shown, uint32_t count,
			const char *order)
{
	fprintf(out, "\n%s %s", title, text_count(count));
	if (shown < count)
		fprintf(out, ", the %" PRIu32 " with most %s (--all shows the others)", shown,
			order);
	putc('\n', out);
}

struct ranked {
	uint32_t index;
	uint64_t first, second; /* sort keys, larger first */
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? 1 : -1;
	if (x->second != y->second)
		return x->second < y->second ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

/* The valid rows of a section in the order to show them; the caller frees. */
static struct ranked *rank(const struct stats_view *view, enum section_id section,
			   bool (*keys)(const struct stats_view *view, struct ranked *rank),
			   uint32_t *ret_count)
{
	uint32_t rows = read_rows(view, section), found = 0;
	struct ranked *list = calloc((size_t)rows + 1, sizeof(*list));

	if (!list)
		abort();
	for (uint32_t i = 0; i < rows; i++) {
		list[found].index = i;
		found += keys(view, &list[found]);
	}
	qsort(list, found, sizeof(*list), compare_ranked);
	*ret_count = found;
	return list;
}

/* One kind of table: which rows, in what order, and what stands in one. */
struct kind {
	enum section_id section;
	const char *title, *order;
	uint32_t shown; /* rows, unless all are wanted */
	const struct table_column *columns;
	unsigned column_count;
	bool (*keys)(const struct stats_view *view, struct ranked *rank);
	void (*add)(struct table *table, const struct stats_view *view, uint32_t index);
	/* What stands below the table; NULL: nothing. */
	void (*end)(FILE *out, const struct stats_view *view, const struct ranked *list,
		    uint32_t shown);
};

static void print_kind(FILE *out, const struct stats_view *view, const struct kind *kind, bool all)
{
	uint32_t count, shown;
	struct ranked *list = rank(view, kind->section, kind->keys, &count);
	struct table table;

	shown = limit(count, kind->shown, all);
	table_begin(&table, kind->columns, kind->column_count);
	if (count)
		print_title(out, kind->title, shown, count, kind->order);
	for (uint32_t i = 0; i < shown; i++)
		kind->add(&table, view, list[i].index);
	table_print(&table, out, INDENT);
	if (count && kind->end)
		kind->end(out, view, list, shown);
	free(list);
}

static bool socket_keys(const struct stats_view *view, struct ranked *rank)
{
	struct socket_row row;

	if (!read_socket(view, rank->index, &row))
		return false;
	rank->first = derive_stalls(&row);
	rank->second = row.write_bytes;
	return true;
}

static const char *socket_state(const struct socket_row *row)
{
	if (row->state == ROW_CLOSED)
		return "closed";
	return row->is_listener ? "listens" : "open";
}

static void add_socket(struct table *table, const struct stats_view *view, uint32_t index)
{
	char address[NAMES_ADDRESS_MAX];
	struct socket_row row;

	if (!read_socket(view, index, &row))
		return;
	names_address(row.is_listener ? &row.local : &row.peer, address);
	table_cell(table, "%d", row.fd);
	table_cell(table, "%s", socket_state(&row));
	if (address[0])
		table_cell(table, "%s", address);
	else
		table_cell(table, "%s", row.kind == SOCKET_KIND_UNIX ? "unix" : "?");
	table_cell(table, "%s", text_short(row.writes));
	table_cell(table, "%s", text_size(row.write_bytes));
	table_cell(table, "%s", text_short(derive_stalls(&row)));
	table_cell(table, "%s", text_short(row.spins_max));
	table_cell(table, "%s", text_size(derive_response_p50(&row)));
	if (row.sndbuf_start == row.sndbuf_now)
		table_cell(table, "%s", row.sndbuf_now ? text_size(row.sndbuf_now) : "-");
	else
		table_cell(table, "%s>%s", text_size(row.sndbuf_start), text_size(row.sndbuf_now));
	table_cell(table, "%s", names_reason(row.reason));
}

/* The reasons that occur in the shown rows, each with its text, once. */
static void print_reasons(FILE *out, const struct stats_view *view, const struct ranked *list,
			  uint32_t shown)
{
	bool is_used[REASON_COUNT] = { false };
	struct socket_row row;

	for (uint32_t i = 0; i < shown; i++)
		if (read_socket(view, list[i].index, &row) && row.reason < REASON_COUNT)
			is_used[row.reason] = true;
	for (uint32_t i = 0; i < REASON_COUNT; i++)
		if (is_used[i])
			fprintf(out, "%*s%s: %s\n", INDENT, "", names_reason(i),
				names_reason_text(i));
}

static void end_sockets(FILE *out, const struct stats_view *view, const struct ranked *list,
			uint32_t shown)
{
	fprintf(out, "%*s", INDENT, "");
	text_wrap(
		out,
		"SENT, RESP and BUFFER in bytes (K, M, G: powers of 1024). STALLS: writes that "
		"sent nothing or less than asked; SPIN: most fruitless tries in one go; RESP: "
		"median of the last responses; BUFFER: send buffer at first>now, - not looked at.",
		INDENT, INDENT, TEXT_WIDTH);
	print_reasons(out, view, list, shown);
}

void dump_text_sockets(FILE *out, const struct stats_view *view, bool all)
{
	static const struct table_column columns[] = {
		{ .title = "FD", .is_right = true },	 { .title = "STATE" },
		{ .title = "PEER", .max = 23 },		 { .title = "WRITES", .is_right = true },
		{ .title = "SENT", .is_right = true },	 { .title = "STALLS", .is_right = true },
		{ .title = "SPIN", .is_right = true },	 { .title = "RESP", .is_right = true },
		{ .title = "BUFFER", .is_right = true }, { .title = "REASON" },
	};
	static const struct kind kind = {
		SECTION_SOCKETS, "SOCKETS",   "stalls",	  SOCKETS_SHOWN, columns,
		COUNT(columns),	 socket_keys, add_socket, end_sockets,
	};

	print_kind(out, view, &kind, all);
}

static bool thread_keys(const struct stats_view *view, struct ranked *rank)
{
	struct thread_row row;

	if (!read_thread(view, rank->index, &row))
		return false;
	rank->first = row.total[TOTAL_WRITES] + row.total[TOTAL_READS];
	rank->second = row.total[TOTAL_WAITS];
	return true;
}

static void add_thread(struct table *table, const struct stats_view *view, uint32_t index)
{
	static const enum total cells[] = {
		TOTAL_SPIN_WRITES, TOTAL_READS,	      TOTAL_WAITS,
		TOTAL_WAIT_EVENTS, TOTAL_EMPTY_WAITS, TOTAL_IDLE_POLLS,
		TOTAL_THIN_WAITS
	};
	struct thread_row row;

	if (!read_thread(view, index, &row))
		return;
	table_cell(table, "%d", row.tid);
	table_cell(table, "%s", text_clean(row.name));
	table_cell(table, "%s", names_thread_role(row.role));
	table_cell(table, "%s", text_short(row.total[TOTAL_WRITES]));
	table_cell(table, "%s",
		   text_short(row.total[TOTAL_EAGAIN_WRITES] + row.total[TOTAL_SHORT_WRITES]));
	for (unsigned c = 0; c < COUNT(cells); c++)
		table_cell(table, "%s", text_short(row.total[cells[c]]));
}

void dump_text_threads(FILE *out, const struct stats_view *view, bool all)
{
	static const struct table_column columns[] = {
		{ .title = "TID", .is_right = true },
		{ .title = "NAME" },
		{ .title = "ROLE" },
		{ .title = "WRITES", .is_right = true },
		{ .title = "STALLS", .is_right = true },
		{ .title = "SPINS", .is_right = true },
		{ .title = "READS", .is_right = true },
		{ .title = "WAITS", .is_right = true },
		{ .title = "EVENTS", .is_right = true },
		{ .title = "EMPTY", .is_right = true },
		{ .title = "IDLE", .is_right = true },
		{ .title = "THIN", .is_right = true },
	};
	static const struct kind kind = {
		SECTION_THREADS, "THREADS",   "calls",	  OTHERS_SHOWN, columns,
		COUNT(columns),	 thread_keys, add_thread, NULL,
	};

	print_kind(out, view, &kind, all);
}

static bool epoll_keys(const struct stats_view *view, struct ranked *rank)
{
	struct epoll_row row;

	if (!read_epoll(view, rank->index, &row))
		return false;
	rank->first = row.waits;
	rank->second = row.adds;
	/* Made and closed without use (a program trying whether epoll works): not worth a line. */
	return row.waits || row.adds;
}

/* Is anything in the column? Sets differ in few of them. */
static bool epoll_is_used(const struct stats_view *view, const struct counter *counter)
{
	struct epoll_row row;

	for (uint32_t i = 0; i < read_rows(view, SECTION_EPOLLS); i++)
		if (read_epoll(view, i, &row) && names_cell(counter, &row))
			return true;
	return false;
}

/* One column per counter that is not zero everywhere, by their own names: the rows of stats.def. */
static void add_epoll(struct table *table, const struct stats_view *view, uint32_t index)
{
	const struct scope_row *scope = &names_scopes[SCOPE_EPOLLS];
	struct epoll_row row;

	if (!read_epoll(view, index, &row))
		return;
	table_cell(table, "%d", row.epfd);
	table_cell(table, "%s", names_row_state(row.state));
	for (unsigned c = 0; c < scope->count; c++) {
		uint64_t value = names_cell(&scope->counters[c], &row);

		if (!epoll_is_used(view, &scope->counters[c]))
			continue;
		if (strcmp(scope->counters[c].unit, "address") != 0)
			table_cell(table, "%s", text_short(value));
		else
			table_cell(table, "%s", value ? symbol_text(view, value) : "-");
	}
}

void dump_text_epolls(FILE *out, const struct stats_view *view, bool all)
{
	const struct scope_row *scope = &names_scopes[SCOPE_EPOLLS];
	struct table_column columns[32] = { { .title = "FD", .is_right = true },
					    { .title = "STATE" } };
	struct kind kind = {
		SECTION_EPOLLS, "EPOLL SETS", "waits", OTHERS_SHOWN, columns, 2,
		epoll_keys,	add_epoll,    NULL,
	};

	for (unsigned i = 0; i < scope->count && kind.column_count < COUNT(columns); i++)
		if (epoll_is_used(view, &scope->counters[i]))
			columns[kind.column_count++] = (struct table_column){
				.title = scope->counters[i].name, .is_right = true
			};
	print_kind(out, view, &kind, all);
}

static bool class_keys(const struct stats_view *view, struct ranked *rank)
{
	struct class_row row;

	if (!read_class(view, rank->index, &row))
		return false;
	rank->first = row.stalls;
	rank->second = row.sockets;
	return row.stalls || row.need_bytes;
}

/* What a class does after a stall, in a word. */
static const char *habit(const struct class_row *row)
{
	if (row->spin_score)
		return "spins";
	return row->yield_score ? "yields" : "-";
}

static void add_class(struct table *table, const struct stats_view *view, uint32_t index)
{
	struct class_row row;

	if (!read_class(view, index, &row))
		return;
	table_cell(table, "%s", row.port >= 65536 ? "dialled" : "accepted");
	table_cell(table, "%u", row.port % 65536);
	table_cell(table, "%s", text_short(row.sockets));
	table_cell(table, "%s", text_short(row.stalls));
	table_cell(table, "%s", text_bytes(row.need_bytes));
	table_cell(table, "%s", habit(&row));
	table_cell(table, "%s", row.drain_ns ? text_duration(row.drain_ns) : "-");
	table_cell(table, "%s", row.trip_ns ? text_duration(row.trip_ns) : "-");
	table_cell(table, "%s", symbol_path(view, &row));
}

void dump_text_classes(FILE *out, const struct stats_view *view, bool all)
{
	static const struct table_column columns[] = {
		{ .title = "SIDE" },
		{ .title = "PORT", .is_right = true },
		{ .title = "SOCKETS", .is_right = true },
		{ .title = "STALLS", .is_right = true },
		{ .title = "RESPONSE", .is_right = true },
		{ .title = "AFTER A STALL" },
		{ .title = "DRAIN", .is_right = true },
		{ .title = "TRIP", .is_right = true },
		{ .title = "CALLED FROM", .is_wrapped = true },
	};
	static const struct kind kind = {
		SECTION_CLASSES,
		"CLASSES OF RESPONSES",
		"stalls",
		OTHERS_SHOWN,
		columns,
		COUNT(columns),
		class_keys,
		add_class,
		NULL,
	};

	print_kind(out, view, &kind, all);
}
