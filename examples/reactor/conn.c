/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1 /* accept4 */

#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

int worker_init(struct worker *w, struct server *srv)
{
	w->server = srv;
	w->counters = counters_claim(srv->counters);
	return w->counters ? 0 : -EAGAIN;
}

void worker_clear(struct worker *w)
{
	counters_release(w->counters);
	w->counters = NULL;
}

int conn_accept(struct worker *w, int flags, struct conn **ret_conn)
{
	struct conn *c;
	int fd = accept4(w->server->listen_fd, NULL, NULL, flags | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	counter_add_relaxed(&w->counters->accepts, 1);
	*ret_conn = c;
	return 0;
}

void conn_close(struct worker *w, struct conn *c)
{
	if (!c)
		return;
	close(c->fd);
	counter_add_relaxed(&w->counters->closes, 1);
	response_put(c->response);
	free(c->kept);
	free(c);
}

static void input_set(struct conn *c, const char *input, size_t bytes)
{
	c->input = input;
	c->input_bytes = bytes;
	if (!bytes) {
		free(c->kept);
		c->kept = NULL;
	}
}

int conn_fill(struct worker *w, struct conn *c)
{
	ssize_t n = read(c->fd, w->scratch, sizeof(w->scratch));

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ESHUTDOWN;
	input_set(c, w->scratch, (size_t)n);
	return 0;
}

int conn_keep_input(struct conn *c)
{
	if (!c->input_bytes || c->kept)
		return 0;
	c->kept = malloc(c->input_bytes);
	if (!c->kept)
		return -ENOMEM;
	memcpy(c->kept, c->input, c->input_bytes);
	c->input = c->kept;
	return 0;
}

static int conn_answer(struct worker *w, struct conn *c, enum http_result result)
{
	const struct http_request *request = &c->parser.request;
	const struct response *r;
	int ret = response_make(w->server, result, request, &r);

	if (ret)
		return ret;
	c->response = r;
	c->out = r->bytes;
	c->left = request->method == HTTP_HEAD ? r->head_bytes : r->total_bytes;
	http_reset(&c->parser);
	return 1;
}

int conn_next(struct worker *w, struct conn *c)
{
	enum http_result result;
	size_t used;

	if (c->is_done)
		return -ESHUTDOWN;
	if (c->is_lingering || !c->input_bytes) {
		input_set(c, NULL, 0);
		return 0;
	}
	result = http_feed(&c->parser, c->input, c->input_bytes, &used);
	input_set(c, c->input + used, c->input_bytes - used);
	if (result == HTTP_MORE)
		return 0;
	counter_add_relaxed(&w->counters->requests, 1);
	return conn_answer(w, c, result);
}

/*
 * The last response is out. Where unread input is or may come, a close() would send a reset, and
 * that may overtake the response on the client's side. So: say we are done, and listen until the
 * client is done too.
 */
static void conn_end(struct conn *c, bool is_error)
{
	if (is_error || c->input_bytes) {
		shutdown(c->fd, SHUT_WR);
		c->is_lingering = true;
	} else {
		c->is_done = true;
	}
}

static void conn_finish_response(struct worker *w, struct conn *c)
{
	const struct response *r = c->response;

	counter_add_relaxed(&w->counters->responses, 1);
	c->response = NULL;
	c->out = NULL;
	if (r->is_closing)
		conn_end(c, r->is_error);
	response_put(r);
}

int conn_write_once(struct worker *w, struct conn *c)
{
	ssize_t n = write(c->fd, c->out, c->left);
	int err = n < 0 ? errno : 0;

	counter_add_relaxed(&w->counters->writes, 1);
	if (err && err != EAGAIN)
		return -err;
	if (!err) {
		counter_add_relaxed(&w->counters->write_bytes, (unsigned long)n);
		c->out += n;
		c->left -= (size_t)n;
	}
	if (c->left) {
		counter_add_relaxed(&w->counters->stalls, 1);
		return -EAGAIN;
	}
	conn_finish_response(w, c);
	return 0;
}
