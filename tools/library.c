/* SPDX-License-Identifier: MIT */
#include "library.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const beside[] = { "", "../lib/unspin/", "../lib/" };

/* The directory of this command with its slash; "" when /proc is not there. */
static void own_directory(char *ret, size_t room)
{
	ssize_t length = readlink("/proc/self/exe", ret, room - 1);

	ret[length > 0 ? length : 0] = '\0';
	ret[strrchr(ret, '/') ? strrchr(ret, '/') + 1 - ret : 0] = '\0';
}

/* Makes the path absolute without its links: LD_PRELOAD is read again after a chdir. */
static bool accept(const char *path, char *ret_path, size_t room)
{
	char absolute[PATH_MAX];

	if (!realpath(path, absolute) || access(absolute, R_OK) < 0)
		return false;
	return snprintf(ret_path, room, "%s", absolute) < (int)room;
}

bool library_find(char *ret_path, size_t room)
{
	const char *named = getenv("UNSPIN_LIBRARY");
	char directory[PATH_MAX], path[PATH_MAX + 32];

	if (named && named[0]) {
		snprintf(ret_path, room, "%s", named);
		/* The name as given: a link may be there to avoid a space in the real path. */
		if (named[0] == '/')
			return access(named, R_OK) == 0 && strlen(named) < room;
		return accept(named, ret_path, room);
	}
	own_directory(directory, sizeof(directory));
	for (unsigned i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(path, sizeof(path), "%s%s" LIBRARY_NAME, directory, beside[i]);
		if (accept(path, ret_path, room))
			return true;
	}
	snprintf(ret_path, room, "%s" LIBRARY_NAME ", %s" LIBRARY_NAME ", %s" LIBRARY_NAME " in %s",
		 beside[0], beside[1], beside[2], directory);
	return false;
}

bool library_can_be_preloaded(const char *path)
{
	return path[strcspn(path, " :\t\n")] == '\0';
}
