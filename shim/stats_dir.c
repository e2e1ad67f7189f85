/* SPDX-License-Identifier: MIT */
#include "stats_dir.h"

#include <limits.h>

/* Bounded append; strlcat is not in the glibc we target and stdio is not for the host. */
static size_t append(char *to, size_t at, size_t room, const char *text)
{
	while (*text && at + 1 < room)
		to[at++] = *text++;
	to[at] = '\0';
	return at;
}

static size_t append_number(char *to, size_t at, size_t room, unsigned value)
{
	char digits[12];
	size_t n = sizeof(digits) - 1;

	digits[n] = '\0';
	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return append(to, at, room, digits + n);
}

int stats_dir_candidate(unsigned n, const char *configured, const char *runtime_dir, unsigned uid,
			char *ret_path)
{
	size_t at;

	if (configured && configured[0]) {
		if (n > 0)
			return 0;
		append(ret_path, 0, STATS_DIR_MAX, configured);
		return 1;
	}
	if (runtime_dir && runtime_dir[0] == '/') {
		if (n == 0) {
			at = append(ret_path, 0, STATS_DIR_MAX, runtime_dir);
			append(ret_path, at, STATS_DIR_MAX, "/unspin");
			return 1;
		}
		n--;
	}
	if (uid == 0) {
		if (n == 0) {
			append(ret_path, 0, STATS_DIR_MAX, "/run/unspin");
			return 1;
		}
		n--;
	}
	if (n > 0)
		return 0;
	at = append(ret_path, 0, STATS_DIR_MAX, "/dev/shm/unspin-");
	append_number(ret_path, at, STATS_DIR_MAX, uid);
	return 1;
}

void stats_dir_file(const char *dir, int pid, char *ret_path)
{
	size_t at = append(ret_path, 0, STATS_DIR_MAX + 16, dir);

	at = append(ret_path, at, STATS_DIR_MAX + 16, "/");
	append_number(ret_path, at, STATS_DIR_MAX + 16, (unsigned)pid);
}

int stats_dir_pid(const char *name)
{
	unsigned long pid = 0;

	if (name[0] < '1' || name[0] > '9')
		return 0;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		pid = pid * 10 + (unsigned long)(*name - '0');
		if (pid > INT_MAX)
			return 0;
	}
	return (int)pid;
}
