/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1 /* accept4 */

#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "route.h"
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
	gate_enter(&w->server->gate);
	counter_add_relaxed(&w->counters->accepts, 1);
	*ret_conn = c;
	return 0;
}

void conn_close(struct worker *w, struct conn *c)
{
	if (!c)
		return;
	close(c->fd);
	gate_leave(&w->server->gate);
	counter_add_relaxed(&w->counters->closes, 1);
	response_put(c->response);
	free(c->kept);
	free(c);
}

void conn_link(struct conn *c, struct conn **list)
{
	c->next = *list;
	c->link = list;
	if (c->next)
		c->next->link = &c->next;
	*list = c;
}

void conn_unlink(struct conn *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->link = NULL;
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

static void conn_begin_response(struct conn *c, struct response *r)
{
	c->response = r;
	c->out = r->bytes;
	c->left = c->parser.request.method == HTTP_HEAD ? r->head_bytes : r->total_bytes;
	http_reset(&c->parser);
}

int conn_answer(struct worker *w, struct conn *c)
{
	struct response *r;
	int ret = route_request(w->server, c->result, &c->parser.request, &r);

	if (!ret)
		conn_begin_response(c, r);
	return ret;
}

int conn_refuse(struct worker *w, struct conn *c)
{
	struct response *r = response_error(&status_overload, true);

	if (!r)
		return -ENOMEM;
	counter_add_relaxed(&w->counters->refusals, 1);
	conn_begin_response(c, r);
	return 0;
}

int conn_parse(struct worker *w, struct conn *c)
{
	size_t used;

	if (c->is_done)
		return -ESHUTDOWN;
	if (c->is_lingering || !c->input_bytes) {
		input_set(c, NULL, 0);
		return 0;
	}
	c->result = http_feed(&c->parser, c->input, c->input_bytes, &used);
	input_set(c, c->input + used, c->input_bytes - used);
	if (c->result == HTTP_MORE)
		return 0;
	counter_add_relaxed(&w->counters->requests, 1);
	return 1;
}

int conn_next(struct worker *w, struct conn *c)
{
	int ret = conn_parse(w, c);

	if (ret <= 0)
		return ret;
	ret = conn_answer(w, c);
	return ret ? ret : 1;
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
	struct response *r = c->response;

	counter_add_relaxed(&w->counters->responses, 1);
	c->response = NULL;
	c->out = NULL;
	if (r->is_closing)
		conn_end(c, r->is_error);
	response_put(r);
}

/* One system call; ret_asked: how many bytes for. 0 or -errno, and then nothing was taken. */
static int conn_send(struct worker *w, struct conn *c, size_t *ret_asked, size_t *ret_taken)
{
	const struct response *r = c->response;
	size_t head_left = (size_t)(r->bytes + r->head_bytes - c->out);
	off_t at = (off_t)(r->total_bytes - c->left);
	ssize_t n;

	*ret_asked = c->left;
	if (r->fd < 0) {
		n = write(c->fd, c->out, c->left);
	} else if (head_left) {
		/* No segment of its own for the head where a body follows. */
		*ret_asked = head_left;
		n = send(c->fd, c->out, head_left, c->left > head_left ? MSG_MORE : 0);
	} else {
		at -= (off_t)r->head_bytes;
		counter_add_relaxed(&w->counters->sendfiles, 1);
		n = sendfile(c->fd, r->fd, &at, c->left);
		if (!n)
			return -EIO; /* the file is shorter by now than we said */
	}
	*ret_taken = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -errno : 0;
}

static void conn_took(struct worker *w, struct conn *c, size_t bytes)
{
	const struct response *r = c->response;

	counter_add_relaxed(&w->counters->write_bytes, bytes);
	c->left -= bytes;
	if (r->fd < 0 || c->out < r->bytes + r->head_bytes)
		c->out += bytes;
}

int conn_write_once(struct worker *w, struct conn *c)
{
	size_t asked = 0, taken = 0;
	int ret;

	do {
		counter_add_relaxed(&w->counters->writes, 1);
		ret = conn_send(w, c, &asked, &taken);
		if (!ret)
			conn_took(w, c, taken);
		else if (ret != -EAGAIN)
			return ret;
	} while (!ret && taken == asked && c->left); /* a head is out, its file is next */
	if (c->left) {
		counter_add_relaxed(&w->counters->stalls, 1);
		return -EAGAIN;
	}
	conn_finish_response(w, c);
	return 0;
}
