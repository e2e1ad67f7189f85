/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/pattern.h"
#include "cache.h"
#include "server.h"

static const struct status status_bytes = { "200 OK", "application/octet-stream", "", false };
static const struct status status_json = { "200 OK", "application/json", "", false };

/* The few types a browser must know to show a page; what has none is sent as /bytes is. */
static const struct type_row {
	const char *suffix;
	struct status status;
} types[] = {
#define TYPE_ROW(suffix, type)                                                                     \
	{                                                                                          \
		suffix,                                                                            \
		{                                                                                  \
			"200 OK", type, "", false                                                  \
		}                                                                                  \
	}
	TYPE_ROW(".html", "text/html"),	    TYPE_ROW(".css", "text/css"),
	TYPE_ROW(".js", "text/javascript"), TYPE_ROW(".json", "application/json"),
	TYPE_ROW(".txt", "text/plain"),	    TYPE_ROW(".png", "image/png"),
	TYPE_ROW(".jpg", "image/jpeg"),	    TYPE_ROW(".svg", "image/svg+xml"),
#undef TYPE_ROW
};

static const struct status *status_of_file(const char *path)
{
	const char *suffix = strrchr(path, '.');

	for (size_t i = 0; suffix && i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(suffix, types[i].suffix))
			return &types[i].status;
	return &status_bytes;
}

/* Move a body to a file of its own, for sendfile(). Where there can be none, it stays. */
static struct response *bytes_to_file(struct response *r, bool is_closing)
{
	size_t body_bytes = r->total_bytes - r->head_bytes;
	int fd = file_from_memory(r->bytes + r->head_bytes, body_bytes);
	struct response *moved =
		fd < 0 ? NULL : response_new(&status_bytes, is_closing, body_bytes, fd);

	if (!moved) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	response_free(r);
	return moved;
}

static struct response *bytes_make(struct server *srv, size_t body_bytes, bool is_closing)
{
	struct response *r = response_new(&status_bytes, is_closing, body_bytes, -1);

	if (!r)
		return NULL;
	pattern_fill((unsigned char *)r->bytes + r->head_bytes, body_bytes);
	if (srv->settings.send != SEND_COPY)
		r = bytes_to_file(r, is_closing);
	r->id.bytes = body_bytes;
	return r;
}

static struct response *route_bytes(struct server *srv, size_t body_bytes, bool is_closing)
{
	const struct file_id id = { .bytes = body_bytes };
	struct response *r = cache_find(srv->cache, "", &id, is_closing);

	if (r)
		return r;
	r = bytes_make(srv, body_bytes, is_closing);
	return r ? cache_offer(srv->cache, r) : NULL;
}

static struct response *route_stats(struct server *srv, bool is_closing)
{
	struct response *r;
	char *body = NULL;
	size_t body_bytes;
	FILE *out = open_memstream(&body, &body_bytes);

	if (!out)
		return NULL;
	server_print_stats(srv, out);
	if (fclose(out) != 0) {
		free(body);
		return NULL;
	}
	r = response_from_text(&status_json, is_closing, body, body_bytes);
	free(body);
	return r;
}

/* Head and body of an open file, which is the response's or closed afterwards. NULL: out of
 * memory, or the file changed under our hands. */
static struct response *file_make(struct server *srv, int fd, const char *path,
				  const struct file_id *id, bool is_closing)
{
	/* Sent from where it is: by --send, or because it is too large to be read for a client. */
	bool is_sent = srv->settings.send != SEND_COPY || id->bytes > RESPONSE_BODY_MAX_BYTES;
	struct response *r =
		response_new(status_of_file(path), is_closing, id->bytes, is_sent ? fd : -1);

	if (r && !is_sent && file_read(fd, r->bytes + r->head_bytes, id->bytes) < 0) {
		response_free(r);
		r = NULL;
	}
	if (!r || !is_sent)
		close(fd);
	if (!r)
		return NULL;
	r->id = *id;
	strcpy(r->name, path);
	return r;
}

/* Both roads look at the file anew, so a file may change and go while the server runs; what is
 * spared by the cache is opening and reading it. */
static struct response *route_file(struct server *srv, const char *path, bool is_closing)
{
	struct response *r = NULL;
	struct file_id id;
	int fd;

	if (file_look(srv->root_fd, path, &id) == 0)
		r = cache_find(srv->cache, path, &id, is_closing);
	if (r)
		return r;
	fd = file_open(srv->root_fd, path, &id);
	if (fd == -ENOENT)
		return response_error(&status_missing, is_closing);
	if (fd < 0)
		return response_error(&status_overload, is_closing);
	r = file_make(srv, fd, path, &id, is_closing);
	return r ? cache_offer(srv->cache, r) : response_error(&status_trouble, true);
}

/* The N of /bytes/N; false: no such page. Eight digits are more than the limit has. */
static bool target_size(const char *target, size_t *ret_body_bytes)
{
	static const char prefix[] = "/bytes/";
	const char *digits = target + strlen(prefix);
	size_t len, value;

	if (strncmp(target, prefix, strlen(prefix)) != 0)
		return false;
	len = strspn(digits, "0123456789");
	if (!len || len > 8 || digits[len])
		return false;
	value = strtoul(digits, NULL, 10);
	if (value > RESPONSE_BODY_MAX_BYTES)
		return false;
	*ret_body_bytes = value;
	return true;
}

static struct response *route_target(struct server *srv, const struct http_request *request)
{
	bool is_closing = !request->is_keep_alive;
	char path[PATH_MAX_BYTES];
	size_t body_bytes;

	if (target_size(request->target, &body_bytes))
		return route_bytes(srv, body_bytes, is_closing);
	if (!strcmp(request->target, "/stats"))
		return route_stats(srv, is_closing);
	if (srv->root_fd >= 0 && path_from_target(request->target, path) == 0)
		return route_file(srv, path, is_closing);
	return response_error(&status_missing, is_closing);
}

/* Request bodies are not read, so whatever announces one also ends the connection. */
static struct response *route_result(struct server *srv, enum http_result result,
				     const struct http_request *request)
{
	if (result == HTTP_BAD)
		return response_error(&status_bad, true);
	if (result == HTTP_TOO_LARGE)
		return response_error(&status_large, true);
	if (request->method == HTTP_OTHER)
		return response_error(&status_method, request->has_body || !request->is_keep_alive);
	if (request->has_body)
		return response_error(&status_bad, true);
	return route_target(srv, request);
}

int route_request(struct server *srv, enum http_result result, const struct http_request *request,
		  struct response **ret_response)
{
	struct response *r = route_result(srv, result, request);

	if (!r)
		return -ENOMEM;
	if (srv->settings.work)
		response_work(r, srv->settings.work);
	*ret_response = r;
	return 0;
}
