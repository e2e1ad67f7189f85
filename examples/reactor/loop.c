/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

#define ACCEPT_BATCH	64  /* at once, so that a burst of clients cannot starve the others */
#define ACCEPT_RETRY_MS 100 /* after accept failed for want of descriptors or memory */

/* epoll's data of the two descriptors that are no connections: pointers to nothing else. */
static const char listener_tag, stop_tag;

static int epoll_set(struct loop *loop, int op, int fd, uint32_t events, const void *tag)
{
	struct epoll_event event = { .events = events, .data.ptr = (void *)tag };

	return epoll_ctl(loop->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

int loop_arm(struct loop *loop, struct conn *c, uint32_t events)
{
	if (c->events == events)
		return 0;
	c->events = events;
	return epoll_set(loop, EPOLL_CTL_MOD, c->fd, events, c);
}

static void loop_link(struct loop *loop, struct conn *c)
{
	c->next = loop->conns;
	c->link = &loop->conns;
	if (c->next)
		c->next->link = &c->next;
	loop->conns = c;
	loop->open++;
}

/* Safe inside a batch of events: a descriptor occurs in it once, and that once is being served. */
static void loop_drop(struct loop *loop, struct conn *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	loop->open--;
	conn_close(&loop->worker, c);
}

static int listener_arm(struct loop *loop, uint32_t events)
{
	return epoll_set(loop, EPOLL_CTL_MOD, loop->worker.server->listen_fd, events,
			 &listener_tag);
}

/* New clients wait in the kernel's queue until open is below the number. A listener left armed
 * would be reported by every wait. */
static void accept_pause(struct loop *loop, long resume_below)
{
	loop->resume_below = resume_below;
	listener_arm(loop, 0);
}

static void accept_resume(struct loop *loop)
{
	loop->resume_below = 0;
	loop->wait_ms = -1;
	listener_arm(loop, EPOLLIN);
}

/* Out of descriptors or memory: try again when a connection went, or somebody else's did. */
static void accept_failed(struct loop *loop)
{
	loop->wait_ms = ACCEPT_RETRY_MS;
	accept_pause(loop, loop->open ? loop->open : 1);
}

static bool accept_is_scarce(int ret)
{
	return ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM || ret == -ENOBUFS;
}

static void loop_watch(struct loop *loop, struct conn *c)
{
	loop_link(loop, c);
	c->events = loop->ops->events;
	if (epoll_set(loop, EPOLL_CTL_ADD, c->fd, c->events, c) < 0)
		loop_drop(loop, c);
}

static void loop_accept(struct loop *loop)
{
	long max = loop->worker.server->settings.max_conns;
	struct conn *c;
	int ret;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		if (max && loop->open >= max) {
			accept_pause(loop, max);
			return;
		}
		ret = conn_accept(&loop->worker, SOCK_NONBLOCK, &c);
		if (ret == -EAGAIN)
			return;
		if (accept_is_scarce(ret)) {
			accept_failed(loop);
			return;
		}
		/* Anything else (ECONNABORTED, …) is the end of that client only. */
		if (ret == 0)
			loop_watch(loop, c);
	}
}

static void loop_dispatch(struct loop *loop, const struct epoll_event *event)
{
	struct conn *c = event->data.ptr;

	if (event->data.ptr == &stop_tag)
		return;
	if (event->data.ptr == &listener_tag)
		loop_accept(loop);
	else if (loop->ops->serve(loop, c, event->events) < 0)
		loop_drop(loop, c);
}

static int loop_turn(struct loop *loop)
{
	int n = epoll_wait(loop->epoll_fd, loop->ready, LOOP_EVENTS, loop->wait_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n && !server_is_stopping(loop->worker.server); i++)
		loop_dispatch(loop, &loop->ready[i]);
	if (loop->resume_below && (loop->open < loop->resume_below || n == 0))
		accept_resume(loop);
	return 0;
}

static void loop_free(struct loop *loop)
{
	while (loop->conns)
		loop_drop(loop, loop->conns);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	worker_clear(&loop->worker);
	free(loop);
}

static int loop_init(struct loop *loop, struct server *srv, const struct loop_ops *ops)
{
	int ret;

	loop->ops = ops;
	loop->wait_ms = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	ret = worker_init(&loop->worker, srv);
	if (ret)
		return ret;
	ret = epoll_set(loop, EPOLL_CTL_ADD, srv->stop_fd, EPOLLIN, &stop_tag);
	return ret ? ret : epoll_set(loop, EPOLL_CTL_ADD, srv->listen_fd, EPOLLIN, &listener_tag);
}

int loop_run(struct server *srv, const struct loop_ops *ops)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return -ENOMEM;
	ret = loop_init(loop, srv, ops);
	while (!ret && !server_is_stopping(srv))
		ret = loop_turn(loop);
	loop_free(loop);
	return ret;
}
