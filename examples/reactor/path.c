/* SPDX-License-Identifier: MIT */
#include "path.h"

#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that %XX at text stands for; negative: none that may be in a name. */
static int path_decode(const char *text)
{
	int high = hex_digit(text[1]);
	int low = high < 0 ? -1 : hex_digit(text[2]); /* text[1] may be the end */
	int byte = high * 16 + low;

	if (low < 0 || byte < 0x20 || byte == 0x7f || byte == '/')
		return -EINVAL;
	return byte;
}

static bool segment_is_good(const char *segment, size_t len)
{
	if (!len)
		return false;
	return !(segment[0] == '.' && (len == 1 || (len == 2 && segment[1] == '.')));
}

/* Every part between slashes; the last one of a path that ends in a slash is still to come. */
static bool path_is_good(const char *path)
{
	const char *end;

	for (; (end = strchr(path, '/')); path = end + 1)
		if (!segment_is_good(path, (size_t)(end - path)))
			return false;
	return !*path || segment_is_good(path, strlen(path));
}

int path_from_target(const char *target, char ret_path[PATH_MAX_BYTES])
{
	char path[PATH_MAX_BYTES];
	size_t len = 0;

	if (*target++ != '/' || strlen(target) >= HTTP_TARGET_MAX_BYTES)
		return -EINVAL;
	for (; *target && *target != '?'; target++) {
		int byte = *target == '%' ? path_decode(target) : (unsigned char)*target;

		if (byte < 0)
			return -EINVAL;
		if (*target == '%')
			target += 2;
		path[len++] = (char)byte;
	}
	path[len] = '\0';
	if (!path_is_good(path))
		return -EINVAL;
	if (!len || path[len - 1] == '/')
		memcpy(path + len, PATH_INDEX, sizeof(PATH_INDEX));
	strcpy(ret_path, path);
	return 0;
}
