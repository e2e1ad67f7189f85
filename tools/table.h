/* SPDX-License-Identifier: MIT */
/*
 * Aligned text tables. Columns are as wide as their widest cell (cut to `max`); the last column
 * may be wrapped at TEXT_WIDTH instead of cut. Cells are copied, filled row by row.
 *
 *	table_begin(&table, columns, 3);
 *	table_cell(&table, "%d", pid);		three times per row
 *	table_print(&table, stdout, 2);		prints and frees
 */
#ifndef UNSPIN_TABLE_H
#define UNSPIN_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct table_column {
	const char *title;
	bool is_right;	 /* numbers */
	bool is_wrapped; /* last column only: long text goes on below itself */
	unsigned max;	 /* cut longer cells in the middle; 0: never */
};

struct table {
	const struct table_column *columns;
	unsigned column_count;
	char **cells;
	unsigned cell_count, room;
};

void table_begin(struct table *table, const struct table_column *columns, unsigned column_count);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
unsigned table_rows(const struct table *table);
/* Prints title line and rows, each indented; nothing at all when there are no rows. Frees. */
void table_print(struct table *table, FILE *out, unsigned indent);

#endif
