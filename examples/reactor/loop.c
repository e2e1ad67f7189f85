/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

#define ACCEPT_BATCH	64  /* at once, so that a burst of clients cannot starve the others */
#define ACCEPT_RETRY_MS 100 /* after accept failed for want of descriptors or memory */

/* epoll's data of the descriptors that are no connections: pointers to nothing else. */
static const char listener_tag, stop_tag, gate_tag, mail_tag;

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

int loop_rearm_for(struct loop *loop, struct conn *c, uint32_t events)
{
	return epoll_set(loop, EPOLL_CTL_MOD, c->fd, events, c);
}

int loop_rearm(struct loop *loop, struct conn *c)
{
	return loop_rearm_for(loop, c, loop->ops->events);
}

long loop_watched(const struct loop *loop)
{
	return __atomic_load_n(&loop->watched, __ATOMIC_RELAXED);
}

static void loop_count(struct loop *loop, long change)
{
	__atomic_store_n(&loop->watched, loop->watched + change, __ATOMIC_RELAXED);
}

int loop_watch(struct loop *loop, struct conn *c)
{
	int ret;

	conn_link(c, &loop->conns);
	loop_count(loop, 1);
	c->events = loop->ops->events;
	ret = epoll_set(loop, EPOLL_CTL_ADD, c->fd, c->events, c);
	if (ret) {
		conn_unlink(c);
		loop_count(loop, -1);
	}
	return ret;
}

/* Safe inside a batch of events: a descriptor occurs in it once, and that once is being served,
 * or was already, where the connection comes back by post. */
void loop_drop(struct loop *loop, struct conn *c)
{
	conn_unlink(c);
	loop_count(loop, -1);
	conn_close(&loop->worker, c);
}

void loop_post(struct loop *loop, struct worker *w, struct conn *c)
{
	counter_add_relaxed(&w->counters->posts, 1);
	mailbox_post(&loop->mailbox, c);
}

static int listener_arm(struct loop *loop, uint32_t events)
{
	return epoll_set(loop, EPOLL_CTL_MOD, loop->worker.server->listen_fd, events,
			 &listener_tag);
}

/* New clients wait in the kernel's queue until fewer are open, or for so long. A listener left
 * armed would be reported by every wait. */
static void accept_pause(struct loop *loop, long resume_below, int wait_ms)
{
	counter_add_relaxed(&loop->worker.counters->accept_pauses, 1);
	loop->is_paused = true;
	loop->wait_ms = wait_ms;
	listener_arm(loop, 0);
	gate_watch(&loop->worker.server->gate, resume_below);
}

static void accept_resume(struct loop *loop)
{
	if (!loop->is_paused)
		return; /* the wake-up came late, we went on by the time-out */
	gate_watch(&loop->worker.server->gate, 0);
	loop->is_paused = false;
	loop->wait_ms = -1;
	listener_arm(loop, EPOLLIN);
}

/* Out of descriptors, memory or threads: try again when a connection of ours went, or later, for
 * somebody else's may have. */
static void accept_failed(struct loop *loop)
{
	accept_pause(loop, gate_open(&loop->worker.server->gate), ACCEPT_RETRY_MS);
}

static bool accept_is_scarce(int ret)
{
	return ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM || ret == -ENOBUFS;
}

/* Take one client in. 0: look for the next one; -EAGAIN: there is none; other -errno: no room. */
static int accept_one(struct loop *loop)
{
	const struct loop_ops *ops = loop->ops;
	struct conn *c;
	int ret = conn_accept(&loop->worker, ops->is_blocking ? 0 : SOCK_NONBLOCK, &c);

	/* Anything else (ECONNABORTED, …) is the end of that client only. */
	if (ret)
		return ret == -EAGAIN || accept_is_scarce(ret) ? ret : 0;
	ret = ops->accepted ? ops->accepted(loop, c) : loop_watch(loop, c);
	if (ret == -EAGAIN)
		return -ENOBUFS;
	if (ret)
		conn_close(&loop->worker, c);
	return 0;
}

static void loop_accept(struct loop *loop)
{
	const struct gate *gate = &loop->worker.server->gate;
	int ret = 0;

	for (int i = 0; i < ACCEPT_BATCH && !ret; i++) {
		if (loop->max_open && gate_open(gate) >= loop->max_open) {
			accept_pause(loop, loop->max_open, -1);
			return;
		}
		ret = accept_one(loop);
	}
	if (ret && ret != -EAGAIN)
		accept_failed(loop);
}

static void loop_read_mail(struct loop *loop)
{
	struct fifo fifo = mailbox_empty(&loop->mailbox);
	struct conn *c;

	while ((c = fifo_take(&fifo)))
		loop->ops->posted(loop, c);
}

static void loop_dispatch(struct loop *loop, const struct epoll_event *event)
{
	struct conn *c = event->data.ptr;

	if (event->data.ptr == &stop_tag)
		return;
	if (event->data.ptr == &listener_tag)
		loop_accept(loop);
	else if (event->data.ptr == &gate_tag)
		accept_resume(loop);
	else if (event->data.ptr == &mail_tag)
		loop_read_mail(loop);
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
	if (n == 0)
		accept_resume(loop);
	return 0;
}

int loop_serve(struct loop *loop)
{
	int ret = 0;

	while (!ret && !server_is_stopping(loop->worker.server))
		ret = loop_turn(loop);
	return ret;
}

void loop_free(struct loop *loop)
{
	struct fifo mail;
	struct conn *c;

	if (!loop)
		return;
	/* Of what is still in the mailbox, some is watched here, some was never taken in. */
	mail = mailbox_empty(&loop->mailbox);
	while ((c = fifo_take(&mail)))
		if (!c->link)
			conn_close(&loop->worker, c);
	while (loop->conns)
		loop_drop(loop, loop->conns);
	close(loop->epoll_fd);
	mailbox_clear(&loop->mailbox);
	worker_clear(&loop->worker);
	free(loop);
}

static int loop_init(struct loop *loop, struct server *srv)
{
	int ret = worker_init(&loop->worker, srv);

	if (ret)
		return ret;
	ret = mailbox_init(&loop->mailbox);
	if (ret)
		goto no_mailbox;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		ret = -errno;
		goto no_epoll;
	}
	ret = epoll_set(loop, EPOLL_CTL_ADD, srv->stop_fd, EPOLLIN, &stop_tag);
	if (!ret)
		ret = epoll_set(loop, EPOLL_CTL_ADD, loop->mailbox.wake_fd, EPOLLIN | EPOLLET,
				&mail_tag);
	if (!ret)
		return 0;
	close(loop->epoll_fd);
no_epoll:
	mailbox_clear(&loop->mailbox);
no_mailbox:
	worker_clear(&loop->worker);
	return ret;
}

int loop_new(struct server *srv, const struct loop_ops *ops, void *context, struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return -ENOMEM;
	loop->ops = ops;
	loop->context = context;
	loop->wait_ms = -1;
	ret = loop_init(loop, srv);
	if (ret)
		free(loop);
	else
		*ret_loop = loop;
	return ret;
}

int loop_listen(struct loop *loop, long max_open)
{
	struct server *srv = loop->worker.server;
	int ret = epoll_set(loop, EPOLL_CTL_ADD, srv->listen_fd, EPOLLIN, &listener_tag);

	loop->max_open = max_open;
	if (ret)
		return ret;
	return epoll_set(loop, EPOLL_CTL_ADD, srv->gate.wake_fd, EPOLLIN | EPOLLET, &gate_tag);
}

int loop_run(struct server *srv, const struct loop_ops *ops)
{
	struct loop *loop;
	int ret = loop_new(srv, ops, NULL, &loop);

	if (ret)
		return ret;
	ret = loop_listen(loop, srv->settings.max_conns);
	if (!ret)
		ret = loop_serve(loop);
	loop_free(loop);
	return ret;
}
