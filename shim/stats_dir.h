/* SPDX-License-Identifier: MIT */
/*
 * Where statistics files live: one rule for the library (which makes them) and the tools (which
 * look for them). Pure string work, no allocation, no system call.
 */
#ifndef UNSPIN_STATS_DIR_H
#define UNSPIN_STATS_DIR_H

#include <stddef.h>

#define STATS_DIR_MAX 256

/*
 * Writes the n-th candidate directory (0, 1, 2 ...) for a process of this uid into ret_path
 * (STATS_DIR_MAX bytes) and returns 1; returns 0 when there is no n-th one. A process takes the
 * first it can create and owns; a reader looks into all of them.
 *
 *   configured   value of UNSPIN_STATS_DIR or NULL/"": if set it is the only candidate
 *   runtime_dir  value of XDG_RUNTIME_DIR or NULL/""
 */
int stats_dir_candidate(unsigned n, const char *configured, const char *runtime_dir, unsigned uid,
			char *ret_path);

/* Writes DIR/PID into ret_path (STATS_DIR_MAX + 16 bytes). */
void stats_dir_file(const char *dir, int pid, char *ret_path);

/* The pid a file name stands for, 0 when the name is not one of ours. */
int stats_dir_pid(const char *name);

#endif
