/* SPDX-License-Identifier: MIT */
/* Shows one process's statistics: as text for people, as JSON for programs. */
#ifndef UNSPIN_DUMP_H
#define UNSPIN_DUMP_H

#include <stdbool.h>
#include <stdio.h>
#include "emit.h"
#include "process.h"
#include "read.h"

#define DUMP_PATH_MAX 512

/* What is known about a statistics file from outside. */
struct dump_about {
	const char *path;	  /* where it was read from */
	enum process_state state; /* of its process */
	uint64_t now_ns;	  /* wall clock of the reading, ns since 1970 */
};

/* One JSON object; key as for emit_object(). */
void dump_json(struct emit *emit, const char *key, const struct stats_view *view,
	       const struct dump_about *about);

/* The report for people; `all` also shows zero counters and every row. */
void dump_text(FILE *out, const struct stats_view *view, const struct dump_about *about, bool all);

/* Its tables: one kind of row each (dump_rows.c). */
void dump_text_sockets(FILE *out, const struct stats_view *view, bool all);
void dump_text_threads(FILE *out, const struct stats_view *view, bool all);
void dump_text_epolls(FILE *out, const struct stats_view *view, bool all);
void dump_text_classes(FILE *out, const struct stats_view *view, bool all);

/* Those of the process as a whole (dump_process.c). */
void dump_text_sites(FILE *out, const struct stats_view *view, bool all);
void dump_text_decisions(FILE *out, const struct stats_view *view, bool all);

/* The newest decisions first: fills ret_rows (caller frees), returns how many. */
uint32_t dump_decisions(const struct stats_view *view, struct decision_row **ret_rows);

#endif
