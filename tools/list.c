/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "command.h"
#include "derive.h"
#include "dump.h"
#include "find.h"
#include "table.h"
#include "text.h"

/* What the visits of one listing share. */
struct listing {
	struct table table;
	struct emit emit;
	uint64_t now_ns;
	bool all;
	unsigned shown, dead, hidden, unreadable, removed;
};

/* Totals with a column of their own; stalls stand before them. */
static const struct {
	const char *title;
	enum total total;
} counters[] = {
	{ "SPINS", TOTAL_SPIN_WRITES },
	{ "GROWN", TOTAL_GROWN_SOCKETS },
	{ "WAITS", TOTAL_WAITS },
};

static bool is_dead(enum process_state state)
{
	return state == PROCESS_ENDED || state == PROCESS_REPLACED;
}

static bool did_nothing(const uint64_t total[TOTAL_COUNT])
{
	return !total[TOTAL_WRITES] && !total[TOTAL_READS] && !total[TOTAL_WAITS] &&
	       !total[TOTAL_ACCEPTS];
}

static const char *program_name(const char *exe)
{
	const char *slash = strrchr(exe, '/');

	return text_clean(slash ? slash + 1 : exe);
}

static void add_line(const struct find_entry *entry, struct listing *listing,
		     const uint64_t total[TOTAL_COUNT])
{
	const struct stats_header *header = &entry->view.header;
	struct table *table = &listing->table;
	uint64_t started = header->started_ns;

	table_cell(table, "%d", entry->pid);
	table_cell(table, "%s", program_name(header->exe));
	table_cell(table, "%s", process_state_name(entry->state));
	table_cell(table, "%s",
		   text_span(listing->now_ns > started ? listing->now_ns - started : 0));
	if (header->parent_pid)
		table_cell(table, "%d", header->parent_pid);
	else
		table_cell(table, "-");
	table_cell(table, "%s", text_short(total[TOTAL_WRITES]));
	table_cell(table, "%s", text_short(total[TOTAL_EAGAIN_WRITES] + total[TOTAL_SHORT_WRITES]));
	for (unsigned i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		table_cell(table, "%s", text_short(total[counters[i].total]));
}

static void visit_text(const struct find_entry *entry, void *context)
{
	struct listing *listing = context;
	uint64_t total[TOTAL_COUNT];

	if (entry->problem != READ_OK) {
		listing->unreadable++;
		if (listing->all || entry->state == PROCESS_RUNNING)
			read_complain(entry->path, entry->problem, entry->errno_seen);
		return;
	}
	derive_totals(&entry->view, total);
	if (is_dead(entry->state) && did_nothing(total) && !listing->all) {
		listing->hidden++;
		return;
	}
	listing->shown++;
	listing->dead += is_dead(entry->state);
	add_line(entry, listing, total);
}

static void say_nothing_found(void)
{
	char *places = find_places();

	printf("No process under unspin has used a socket yet (looked in %s).\n"
	       "Start one:  unspin run -- PROGRAM ARGUMENTS\n",
	       places);
	free(places);
}

static const char legend[] =
	"WRITES: calls on stream sockets; STALLS: of those, sent nothing or less than asked; "
	"SPINS: tries on a full socket with no wait in between; GROWN: sockets with a raised send "
	"buffer; WAITS: epoll_wait, poll and select calls. All about one process: unspin stat PID";

int list_text(uint64_t now_ns, bool all)
{
	struct table_column columns[] = {
		{ .title = "PID", .is_right = true },
		{ .title = "EXE", .max = 24 },
		{ .title = "STATE" },
		{ .title = "AGE", .is_right = true },
		{ .title = "PARENT", .is_right = true },
		{ .title = "WRITES", .is_right = true },
		{ .title = "STALLS", .is_right = true },
		{ .title = counters[0].title },
		{ .title = counters[1].title },
		{ .title = counters[2].title },
	};
	struct listing listing = { .now_ns = now_ns, .all = all };

	for (unsigned i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		columns[7 + i].is_right = true;
	table_begin(&listing.table, columns, sizeof(columns) / sizeof(columns[0]));
	find_each(visit_text, &listing);
	table_print(&listing.table, stdout, 0);
	if (listing.shown) {
		putchar('\n');
		text_wrap(stdout, legend, 0, 0, TEXT_WIDTH);
	} else {
		say_nothing_found();
	}
	if (listing.dead)
		printf("%u ended: still readable by PID; `unspin stat --clean` removes them.\n",
		       listing.dead);
	if (listing.hidden)
		printf("%u ended without any traffic: not shown (--all shows them).\n",
		       listing.hidden);
	return EXIT_OK;
}

static void visit_json(const struct find_entry *entry, void *context)
{
	struct listing *listing = context;
	struct dump_about about = { .path = entry->path,
				    .state = entry->state,
				    .now_ns = listing->now_ns };

	if (entry->problem == READ_OK)
		dump_json(&listing->emit, NULL, &entry->view, &about);
	else
		read_complain(entry->path, entry->problem, entry->errno_seen);
}

int list_json(uint64_t now_ns)
{
	struct listing listing = { .now_ns = now_ns };

	emit_begin(&listing.emit, stdout);
	emit_array(&listing.emit, NULL);
	find_each(visit_json, &listing);
	emit_end(&listing.emit);
	return EXIT_OK;
}

/* Files we may take for what a dead process left: good ones, and those it did not finish. */
static bool is_removable(const struct find_entry *entry)
{
	switch (entry->problem) {
	case READ_OK:
	case READ_EMPTY:
	case READ_UNFINISHED:
	case READ_TRUNCATED:
	case READ_TORN:
	case READ_NEWER:
		return is_dead(entry->state);
	default:
		return false;
	}
}

static void visit_clean(const struct find_entry *entry, void *context)
{
	struct listing *listing = context;
	struct stat status;

	if (!is_removable(entry)) {
		listing->shown++;
		return;
	}
	/* A new process may just have taken the number: only remove what was looked at. */
	if (entry->problem == READ_OK &&
	    (fstatat(entry->dirfd, entry->name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	     status.st_ino != entry->view.inode))
		return;
	if (unlinkat(entry->dirfd, entry->name, 0) == 0) {
		listing->removed++;
		return;
	}
	listing->unreadable++;
	fprintf(stderr, "unspin: %s: %s\n", entry->path, strerror(errno));
}

int list_clean(void)
{
	struct listing listing = { 0 };

	find_each(visit_clean, &listing);
	printf("%u %s of ended processes removed, %u kept.\n", listing.removed,
	       listing.removed == 1 ? "file" : "files", listing.shown);
	return listing.unreadable ? EXIT_PROBLEM : EXIT_OK;
}

void list_explain_missing(int pid)
{
	char *places = find_places();

	if (process_exists(pid))
		fprintf(stderr,
			"unspin: no statistics of process %d (looked in %s): it was not started "
			"under unspin, or has not used a socket yet. `unspin check %d` tells.\n",
			pid, places, pid);
	else
		fprintf(stderr,
			"unspin: no process %d, and no statistics left of one (looked in %s)\n",
			pid, places);
	free(places);
}
