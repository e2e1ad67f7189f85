/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "text.h"

enum { COLUMNS_MAX = 16 };

void table_begin(struct table *table, const struct table_column *columns, unsigned column_count)
{
	*table = (struct table){ .columns = columns, .column_count = column_count };
}

/* Cuts out the middle: of an address or a path both ends matter. */
static void cut(char *cell, unsigned max)
{
	size_t length = strlen(cell), head = (max - 2) / 2, tail = max - 2 - head;

	if (max < 3 || length <= max)
		return;
	memcpy(cell + head, "..", 2);
	memmove(cell + head + 2, cell + length - tail, tail + 1);
}

void table_cell(struct table *table, const char *format, ...)
{
	unsigned max = table->columns[table->cell_count % table->column_count].max;
	va_list args;
	char *cell;

	if (table->cell_count == table->room) {
		table->room = table->room ? 2 * table->room : 64;
		table->cells = realloc(table->cells, table->room * sizeof(char *));
		if (!table->cells)
			abort();
	}
	va_start(args, format);
	if (vasprintf(&cell, format, args) < 0)
		abort();
	va_end(args);
	if (max)
		cut(cell, max);
	table->cells[table->cell_count++] = cell;
}

unsigned table_rows(const struct table *table)
{
	return table->cell_count / table->column_count;
}

/* How many columns the text takes on the screen: "µs" has three bytes, two columns. */
static unsigned shown_width(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void measure(const struct table *table, unsigned *ret_width)
{
	for (unsigned c = 0; c < table->column_count; c++)
		ret_width[c] = shown_width(table->columns[c].title);
	for (unsigned i = 0; i < table->cell_count; i++) {
		unsigned wide = shown_width(table->cells[i]), c = i % table->column_count;

		if (wide > ret_width[c])
			ret_width[c] = wide;
	}
}

static void pad(FILE *out, unsigned from, unsigned to)
{
	if (to > from)
		fprintf(out, "%*s", (int)(to - from), "");
}

static void print_row(const struct table *table, char *const *cells, const unsigned *width,
		      FILE *out, unsigned indent)
{
	unsigned at = indent;

	fprintf(out, "%*s", (int)indent, "");
	for (unsigned c = 0; c < table->column_count; c++) {
		const struct table_column *column = &table->columns[c];
		const char *text = cells ? cells[c] : column->title;
		unsigned wide = shown_width(text);
		bool is_last = c + 1 == table->column_count;

		if (column->is_wrapped) {
			text_wrap(out, text, at, at, TEXT_WIDTH);
			return;
		}
		if (column->is_right)
			pad(out, wide, width[c]);
		fputs(text, out);
		if (!column->is_right && !is_last)
			pad(out, wide, width[c]);
		fputs(is_last ? "\n" : "  ", out);
		at += width[c] + 2;
	}
}

void table_print(struct table *table, FILE *out, unsigned indent)
{
	unsigned width[COLUMNS_MAX];

	if (table->column_count > COLUMNS_MAX)
		abort();
	if (table->cell_count) {
		measure(table, width);
		print_row(table, NULL, width, out, indent);
	}
	for (unsigned i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
		print_row(table, table->cells + i, width, out, indent);
	for (unsigned i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){ 0 };
}
