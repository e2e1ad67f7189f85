/* SPDX-License-Identifier: MIT */
/* A running process: is the shim in it, and what does it use that the shim cannot see? */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "library.h"
#include "process.h"

static bool is_library(const struct process_mapping *mapping, const void *context)
{
	const char *name = strrchr(mapping->path, '/');

	(void)context;
	/* " (deleted)" may follow: rebuilt since the start, but still loaded. */
	return name && !strncmp(name + 1, LIBRARY_NAME, strlen(LIBRARY_NAME));
}

/* Was it started with our library's name in LD_PRELOAD? */
static bool was_asked_for(int pid)
{
	char path[64], *variable = NULL;
	bool is_asked = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	file = fopen(path, "re");
	while (file && !is_asked && getdelim(&variable, &room, '\0', file) > 0)
		is_asked = !strncmp(variable, "LD_PRELOAD=", 11) && strstr(variable, LIBRARY_NAME);
	free(variable);
	if (file)
		fclose(file);
	return is_asked;
}

static unsigned count_rings(int pid)
{
	static const char ring[] = "anon_inode:[io_uring]";
	char path[64], target[64];
	struct dirent *item;
	unsigned rings = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (item = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), item->d_name, target, sizeof(target));

		rings += length == (ssize_t)sizeof(ring) - 1 &&
			 !memcmp(target, ring, sizeof(ring) - 1);
	}
	if (dir)
		closedir(dir);
	return rings;
}

/* The number behind "Seccomp:" in /proc/PID/status: 0 off, 1 strict, 2 filter. */
static int seccomp_mode(int pid)
{
	char path[64], line[256];
	int mode = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (file)
		fclose(file);
	return mode;
}

static void add_live(struct report *report)
{
	unsigned rings = count_rings(report->pid);
	char detail[32];

	if (rings) {
		snprintf(detail, sizeof(detail), "%u open", rings);
		check_add(report, FINDING_URING_LIVE, detail);
	}
	if (seccomp_mode(report->pid))
		check_add(report, FINDING_SECCOMP_LIVE, "");
}

/* Without the shim: why, by what its program looks like. */
static void add_reasons(struct report *report)
{
	struct report program;

	check_add(report, was_asked_for(report->pid) ? FINDING_DROPPED : FINDING_NOT_STARTED, "");
	if (check_program(report->chain[0], &program))
		return;
	for (unsigned i = 0; i < program.count; i++)
		if (program.findings[i].id != FINDING_VISIBLE)
			check_add(report, program.findings[i].id, program.findings[i].detail);
}

int check_process(int pid, struct report *ret)
{
	char link[64], script[CHECK_SCRIPT_MAX];
	struct process_mapping mapping;
	struct elf_facts facts;
	ssize_t length;
	size_t bytes;
	int found;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->asked, sizeof(ret->asked), "%d", pid);
	ret->pid = pid;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, ret->chain[0], sizeof(ret->chain[0]) - 1);
	if (length < 0)
		return errno == ENOENT ? ESRCH : errno;
	ret->links = 1;
	found = process_find_mapping(pid, is_library, NULL, &mapping);
	if (found < 0)
		return -found;
	if (!found) {
		add_reasons(ret);
		add_live(ret);
		return 0;
	}
	snprintf(ret->library, sizeof(ret->library), "%s", mapping.path);
	check_add(ret, FINDING_LOADED, mapping.path);
	/* Through the link: the file may have been replaced since. */
	if (check_read_file(link, &facts, script, &bytes) == 0 && facts.trait[ELF_GO][0])
		check_add(ret, FINDING_GO, facts.trait[ELF_GO]);
	add_live(ret);
	return 0;
}
