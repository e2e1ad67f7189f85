/* SPDX-License-Identifier: MIT */
/*
 * Reads a statistics file (shim/stats_layout.h) without trusting a byte of it: the writer may be
 * alive, dead, of another version, or somebody else altogether.
 *
 *	read_load()   file -> private copy -> read_parse() -> checked view -> read_socket() ...
 *
 * The file is copied, never mapped: whoever cuts a mapped file short kills its readers by SIGBUS.
 * read_parse() is pure, so the fuzzer and the unit tests feed it memory. All offsets are checked
 * there once; the row functions rely on it and only check the row number.
 */
#ifndef UNSPIN_READ_H
#define UNSPIN_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../shim/stats_layout.h"

/* Why a file cannot be shown. The texts are in read.c, one per row. */
enum read_problem {
	READ_OK = 0,
	READ_SYSTEM,	  /* a system call failed: see errno_seen */
	READ_NOT_ALLOWED, /* EACCES or EPERM */
	READ_NOT_A_FILE,
	READ_TOO_LARGE,
	READ_EMPTY,
	READ_UNFINISHED,
	READ_FOREIGN,
	READ_OTHER_ORDER,
	READ_NEWER,
	READ_TRUNCATED,
	READ_TORN,
	READ_PROBLEM_COUNT
};

/* A checked statistics file. `header` is a copy: cells an older writer did not have are 0. */
struct stats_view {
	const unsigned char *memory;
	size_t bytes;
	struct stats_header header;
	void *owned;	/* what read_free() frees; NULL after read_parse() */
	uint64_t inode; /* of the file read; 0 after read_parse() */
};

/* Checks a whole file in memory, which must outlive the view. On failure *ret_view is untouched. */
enum read_problem read_parse(const void *memory, size_t bytes, struct stats_view *ret_view);

/*
 * Opens (never through a link at the last step), copies and checks a file; dirfd as for openat().
 * On READ_OK the caller owns the view: read_free(). On READ_SYSTEM *ret_errno says why.
 */
enum read_problem read_load(int dirfd, const char *path, struct stats_view *ret_view,
			    int *ret_errno);

/* Accepts an empty ({0}) view. */
void read_free(struct stats_view *view);

/* One sentence without a full stop: what is wrong with the file and what it means. */
const char *read_problem_text(enum read_problem problem);

/* Prints "unspin: PATH: what is wrong" on stderr. */
void read_complain(const char *path, enum read_problem problem, int errno_seen);

/* Rows in a section, whatever their state. */
uint32_t read_rows(const struct stats_view *view, enum section_id section);

/*
 * Copy one row. False when there is no such row or nothing valid in it; then *ret_row holds
 * nothing useful. Cells the writer did not have are 0, names end with a zero.
 */
bool read_thread(const struct stats_view *view, uint32_t index, struct thread_row *ret_row);
bool read_socket(const struct stats_view *view, uint32_t index, struct socket_row *ret_row);
bool read_epoll(const struct stats_view *view, uint32_t index, struct epoll_row *ret_row);
bool read_class(const struct stats_view *view, uint32_t index, struct class_row *ret_row);
bool read_decision(const struct stats_view *view, uint32_t index, struct decision_row *ret_row);

#endif
