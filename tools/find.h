/* SPDX-License-Identifier: MIT */
/* Where the statistics files of this machine's processes are, and which is whose. */
#ifndef UNSPIN_FIND_H
#define UNSPIN_FIND_H

#include "process.h"
#include "read.h"

/* One file found. */
struct find_entry {
	char path[512];
	int dirfd;	  /* of its directory */
	const char *name; /* its last part */
	int pid;	  /* the number its name says */
	enum read_problem problem;
	int errno_seen;		  /* for READ_SYSTEM */
	struct stats_view view;	  /* valid with READ_OK, freed after the visit */
	enum process_state state; /* valid with READ_OK, else only PROCESS_RUNNING or _ENDED */
};

/*
 * Visits every file of every directory a process of this user could have chosen, in the order of
 * the pids within a directory. Root sees everybody's. Returns the number of files.
 */
unsigned find_each(void (*visit)(const struct find_entry *entry, void *context), void *context);

/* The directories find_each() would look into, separated by ", ". The caller frees. */
char *find_places(void);

/*
 * The file of a process: running ones win over dead ones with the same number, then the newest.
 * When no directory has it, /proc/PID/maps is asked (a directory of its own choice, a container).
 * READ_OK: *ret_view is the caller's and ret_path (512 bytes) where it came from. READ_SYSTEM
 * with *ret_errno ENOENT: there is none.
 */
enum read_problem find_pid(int pid, struct stats_view *ret_view, enum process_state *ret_state,
			   char *ret_path, int *ret_errno);

#endif
