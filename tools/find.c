/* SPDX-License-Identifier: MIT */
#include "find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../shim/stats_dir.h"

enum { PATH_ROOM = 512 }; /* as in find.h */

/* Directories, each once. */
struct places {
	char **path;
	size_t count;
};

static void add_place(struct places *places, const char *path)
{
	for (size_t i = 0; i < places->count; i++)
		if (!strcmp(places->path[i], path))
			return;
	places->path = realloc(places->path, (places->count + 1) * sizeof(char *));
	if (!places->path)
		abort();
	places->path[places->count] = strdup(path);
	if (!places->path[places->count++])
		abort();
}

/* What processes of other users choose by themselves: root may read them all. */
static void add_everybodys(struct places *places)
{
	static const char *const patterns[] = { "/run/user/*/unspin", "/dev/shm/unspin-*" };
	glob_t found;

	for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
		if (glob(patterns[p], 0, NULL, &found) == 0)
			for (size_t i = 0; i < found.gl_pathc; i++)
				add_place(places, found.gl_pathv[i]);
		globfree(&found);
	}
}

static void collect_places(struct places *places)
{
	const char *configured = getenv("UNSPIN_STATS_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");
	char path[STATS_DIR_MAX];

	*places = (struct places){ 0 };
	for (unsigned n = 0; stats_dir_candidate(n, configured, runtime, geteuid(), path); n++)
		add_place(places, path);
	if (geteuid() == 0 && !(configured && configured[0]))
		add_everybodys(places);
}

static void free_places(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->path[i]);
	free(places->path);
}

char *find_places(void)
{
	struct places places;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		abort();
	collect_places(&places);
	for (size_t i = 0; i < places.count; i++)
		fprintf(out, "%s%s", i ? ", " : "", places.path[i]);
	free_places(&places);
	fclose(out);
	return text;
}

static int compare_pids(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* All pids that have a file in the directory, sorted; the caller frees. */
static size_t list_pids(int dirfd, int **ret_pids)
{
	DIR *dir = fdopendir(dup(dirfd));
	struct dirent *item;
	size_t count = 0, room = 0;
	int *pids = NULL;

	while (dir && (item = readdir(dir))) {
		int pid = stats_dir_pid(item->d_name);

		if (!pid)
			continue;
		if (count == room) {
			room = room ? 2 * room : 64;
			pids = realloc(pids, room * sizeof(*pids));
			if (!pids)
				abort();
		}
		pids[count++] = pid;
	}
	if (dir)
		closedir(dir);
	if (count)
		qsort(pids, count, sizeof(*pids), compare_pids);
	*ret_pids = pids;
	return count;
}

/* Reads one file of the directory, fills the entry. */
static void look_at(const char *place, int dirfd, int pid, struct find_entry *entry)
{
	*entry = (struct find_entry){ .dirfd = dirfd, .pid = pid };
	snprintf(entry->path, sizeof(entry->path), "%s/%d", place, pid);
	entry->name = strrchr(entry->path, '/') + 1;
	entry->problem = read_load(dirfd, entry->name, &entry->view, &entry->errno_seen);
	if (entry->problem == READ_OK)
		entry->state = process_state(&entry->view, pid);
	else
		entry->state = process_exists(pid) ? PROCESS_RUNNING : PROCESS_ENDED;
}

/* O_NOFOLLOW: whoever owns the place above must not lead root into another directory. */
static int open_place(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static unsigned visit_place(const char *place,
			    void (*visit)(const struct find_entry *entry, void *context),
			    void *context)
{
	int dirfd = open_place(place), *pids;
	struct find_entry entry;
	size_t count;

	if (dirfd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			fprintf(stderr, "unspin: %s: %s\n", place, strerror(errno));
		return 0;
	}
	count = list_pids(dirfd, &pids);
	for (size_t i = 0; i < count; i++) {
		look_at(place, dirfd, pids[i], &entry);
		visit(&entry, context);
		read_free(&entry.view);
	}
	free(pids);
	close(dirfd);
	return (unsigned)count;
}

unsigned find_each(void (*visit)(const struct find_entry *entry, void *context), void *context)
{
	struct places places;
	unsigned count = 0;

	collect_places(&places);
	for (size_t i = 0; i < places.count; i++)
		count += visit_place(places.path[i], visit, context);
	free_places(&places);
	return count;
}

static bool is_better(const struct find_entry *candidate, const struct find_entry *best)
{
	if (best->problem != READ_OK || candidate->problem != READ_OK)
		return candidate->problem == READ_OK ||
		       (best->problem == READ_SYSTEM && best->errno_seen == ENOENT);
	if ((candidate->state == PROCESS_RUNNING) != (best->state == PROCESS_RUNNING))
		return candidate->state == PROCESS_RUNNING;
	return candidate->view.header.started_ns > best->view.header.started_ns;
}

static bool is_stats_mapping(const struct process_mapping *mapping, const void *context)
{
	const char *name = strrchr(mapping->path, '/');

	(void)context;
	return mapping->is_shared && name && stats_dir_pid(name + 1);
}

/* The file the process itself has mapped, seen through its own root directory. */
static void look_into_process(int pid, struct find_entry *entry)
{
	struct process_mapping mapping;

	if (process_find_mapping(pid, is_stats_mapping, NULL, &mapping) != 1)
		return;
	snprintf(entry->path, sizeof(entry->path), "/proc/%d/root%.480s", pid, mapping.path);
	entry->problem = read_load(AT_FDCWD, entry->path, &entry->view, &entry->errno_seen);
	if (entry->problem == READ_OK)
		entry->state = process_state(&entry->view, pid);
}

static void look_in_places(int pid, struct find_entry *best)
{
	struct places places;
	struct find_entry entry;

	collect_places(&places);
	for (size_t i = 0; i < places.count; i++) {
		int dirfd = open_place(places.path[i]);

		if (dirfd < 0)
			continue;
		look_at(places.path[i], dirfd, pid, &entry);
		close(dirfd);
		if (is_better(&entry, best)) {
			read_free(&best->view);
			*best = entry;
		} else {
			read_free(&entry.view);
		}
	}
	free_places(&places);
}

enum read_problem find_pid(int pid, struct stats_view *ret_view, enum process_state *ret_state,
			   char *ret_path, int *ret_errno)
{
	struct find_entry best = { .problem = READ_SYSTEM, .errno_seen = ENOENT };

	look_in_places(pid, &best);
	if (best.problem == READ_SYSTEM && best.errno_seen == ENOENT)
		look_into_process(pid, &best);
	snprintf(ret_path, PATH_ROOM, "%s", best.path);
	*ret_errno = best.errno_seen;
	*ret_state = best.state;
	*ret_view = best.view;
	return best.problem;
}
