/* SPDX-License-Identifier: MIT */
/* needs: examples/reactor/http.c examples/reactor/path.c */
/* libFuzzer: any bytes as requests to the demo server. The first byte says where the input is cut:
 * that must not change what comes out. */
#include <stdint.h>
#include <string.h>
#include "examples/reactor/http.h"
#include "examples/reactor/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* In two pieces, the first one `cut` bytes. */
static enum http_result feed(struct http_parser *p, const uint8_t *data, size_t bytes, size_t cut,
			     size_t *ret_used)
{
	enum http_result result;
	size_t more;

	http_reset(p);
	result = http_feed(p, data, cut, ret_used);
	if (result != HTTP_MORE)
		return result;
	if (*ret_used != cut)
		__builtin_trap();
	result = http_feed(p, data + cut, bytes - cut, &more);
	*ret_used += more;
	return result;
}

static void check_path(const struct http_request *request)
{
	char path[PATH_MAX_BYTES];

	if (path_from_target(request->target, path) < 0)
		return;
	if (!*path || *path == '/' || strstr(path, "//") || strstr(path, "/../") ||
	    !strncmp(path, "../", 3) || !strcmp(path, ".."))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct http_parser whole, split;
	size_t used, used_split;
	enum http_result result;

	if (!bytes)
		return 0;
	result = feed(&whole, data + 1, bytes - 1, 0, &used);
	if (feed(&split, data + 1, bytes - 1, *data % bytes, &used_split) != result ||
	    used != used_split || used > bytes - 1)
		__builtin_trap();
	if (result != HTTP_DONE)
		return 0;
	if (memcmp(&whole.request, &split.request, sizeof(whole.request)) != 0)
		__builtin_trap();
	check_path(&whole.request);
	return 0;
}
