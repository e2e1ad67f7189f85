/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../shim/stats_dir.h"

const char *process_state_name(enum process_state state)
{
	static const char *const names[] = {
		[PROCESS_UNKNOWN] = "unknown",
		[PROCESS_RUNNING] = "running",
		[PROCESS_ENDED] = "ended",
		[PROCESS_REPLACED] = "replaced",
	};

	return names[state];
}

bool process_exists(int pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

/* State letter and start time of /proc/PID/stat; -errno when it cannot be read. */
static int read_stat(int pid, char *ret_letter, uint64_t *ret_start_ticks)
{
	char path[32], text[1024], *after;
	size_t bytes;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	bytes = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[bytes] = '\0';
	/* The program's name in brackets may hold anything: count the fields after the last one. */
	after = strrchr(text, ')');
	if (!after || sscanf(after + 1, " %c", ret_letter) != 1)
		return -EPROTO;
	for (int skip = 20; after && skip > 0; skip--)
		after = strchr(after + 1, ' ');
	if (!after)
		return -EPROTO;
	*ret_start_ticks = strtoull(after, NULL, 10);
	return 0;
}

static bool is_its_file(const struct process_mapping *mapping, const void *context)
{
	const struct stats_view *view = context;
	const char *name = strrchr(mapping->path, '/');

	/*
	 * By inode or by name: overlay file systems show another inode number here, and a
	 * container shows another path.
	 */
	return mapping->is_shared && ((view->inode && mapping->inode == view->inode) ||
				      (name && stats_dir_pid(name + 1) == view->header.pid));
}

enum process_state process_state(const struct stats_view *view, int pid)
{
	struct process_mapping mapping;
	uint64_t start_ticks = 0;
	char letter = 0;
	int ret = read_stat(pid, &letter, &start_ticks);

	if (ret == -ENOENT || ret == -ESRCH)
		return process_exists(pid) ? PROCESS_UNKNOWN : PROCESS_ENDED;
	if (ret < 0)
		return PROCESS_UNKNOWN;
	if (view->header.process_start_ticks && view->header.process_start_ticks != start_ticks)
		return PROCESS_REPLACED;
	if (letter == 'Z' || letter == 'X')
		return PROCESS_ENDED;
	ret = process_find_mapping(pid, is_its_file, view, &mapping);
	return ret == 0 ? PROCESS_REPLACED : PROCESS_RUNNING;
}

/* "start-end rwxs offset dev inode   path": false for mappings without a file. */
static bool parse_mapping(char *line, struct process_mapping *ret)
{
	char permissions[8];
	int path_at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%*s %7s %*s %*s %" SCNu64 " %n", permissions, &ret->inode, &path_at) !=
		    2 ||
	    path_at == 0 || line[path_at] != '/')
		return false;
	ret->is_shared = permissions[3] == 's';
	snprintf(ret->path, sizeof(ret->path), "%s", line + path_at);
	return true;
}

int process_find_mapping(int pid,
			 bool (*is_wanted)(const struct process_mapping *mapping,
					   const void *context),
			 const void *context, struct process_mapping *ret)
{
	char path[32], *line = NULL;
	size_t room = 0;
	int found = 0, error;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	errno = 0;
	while (!found && getline(&line, &room, file) > 0)
		found = parse_mapping(line, ret) && is_wanted(ret, context);
	error = errno;
	free(line);
	fclose(file);
	/* The permission is checked at the first read, and an empty answer is a kernel thread's. */
	return found ? 1 : error ? -error : 0;
}
