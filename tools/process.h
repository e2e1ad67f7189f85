/* SPDX-License-Identifier: MIT */
/* What /proc knows about the process a statistics file is about. */
#ifndef UNSPIN_PROCESS_H
#define UNSPIN_PROCESS_H

#include <stdbool.h>
#include "read.h"

enum process_state {
	PROCESS_UNKNOWN = 0, /* /proc does not say (hidepid, another pid namespace) */
	PROCESS_RUNNING,
	PROCESS_ENDED,
	PROCESS_REPLACED, /* the pid lives, but is another process or another program (exec) now */
};

const char *process_state_name(enum process_state state);

/*
 * Is the writer of this file still at work? `pid` is the process's number in our pid namespace,
 * usually view->header.pid. Told apart by the start time in /proc/PID/stat and, where we may look
 * at /proc/PID/maps, by whether the file is still mapped there: an exec keeps pid and start time.
 */
enum process_state process_state(const struct stats_view *view, int pid);

/* Is there a process with this number at all? */
bool process_exists(int pid);

/* One mapped file: its path as the process sees it, and its inode number. */
struct process_mapping {
	char path[512];
	uint64_t inode;
	bool is_shared;
};

/*
 * The first mapped file for which is_wanted() says yes: 1 and *ret when there is one, 0 when not,
 * -errno when /proc/PID/maps cannot be read (that takes the process's user or root).
 */
int process_find_mapping(int pid,
			 bool (*is_wanted)(const struct process_mapping *mapping,
					   const void *context),
			 const void *context, struct process_mapping *ret);

#endif
