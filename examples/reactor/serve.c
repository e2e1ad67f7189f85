/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <errno.h>

#include "server.h"

int serve_write_spinning(struct worker *w, struct conn *c)
{
	int ret;

	do {
		ret = conn_write_once(w, c);
	} while (ret == -EAGAIN && !server_is_stopping(w->server));
	return ret;
}

/* Unlike conn_write_once, a short write is no reason to leave: that the socket is full, Netty
 * believes only when a write returns nothing at all, one system call later. */
int serve_write_bounded(struct worker *w, struct conn *c)
{
	long writes = 0;
	size_t before;
	int ret;

	do {
		if (writes++ == w->server->settings.max_writes) {
			counter_add_relaxed(&w->counters->write_limits, 1);
			return -EAGAIN;
		}
		before = c->left;
		ret = conn_write_once(w, c);
	} while (ret == -EAGAIN && c->left < before);
	return ret;
}

int serve_spinning(struct worker *w, struct conn *c)
{
	int ret = conn_fill(w, c);

	if (ret == -EAGAIN)
		return 0;
	while (!ret && (ret = conn_next(w, c)) > 0)
		ret = serve_write_spinning(w, c);
	return ret;
}

int serve_answers(struct worker *w, struct conn *c, serve_write *write_response)
{
	int ret;

	do {
		ret = c->response ? write_response(w, c) : 0;
	} while (!ret && (ret = conn_next(w, c)) > 0);
	return ret;
}

/* EPOLLIN or EPOLLOUT, never both, so each event can be used. While a rest is kept, nothing more
 * is read from that client: one that pipelines without reading is held back by TCP, not by our
 * memory. */
int serve_waiting(struct loop *loop, struct conn *c, serve_write *write_response)
{
	struct worker *w = &loop->worker;
	int ret = 0;

	if (c->response)
		counter_add_relaxed(&w->counters->resumes, 1);
	else
		ret = conn_fill(w, c);
	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	ret = serve_answers(w, c, write_response);
	if (ret == -EAGAIN) {
		ret = conn_keep_input(c);
		return ret ? ret : loop_arm(loop, c, EPOLLOUT);
	}
	return ret ? ret : loop_arm(loop, c, EPOLLIN);
}
