/* SPDX-License-Identifier: MIT */
#include "room.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mailbox.h"
#include "server.h"

struct room {
	struct worker worker;
	room_ready *ready;
	void *context;
	int epoll_fd;
	struct mailbox mailbox; /* for responses to come */
	pthread_mutex_t lock;	/* of pending and stalled */
	pthread_cond_t is_back;
	long pending;				   /* of the batch, not returned yet */
	struct fifo stalled;			   /* of those returned */
	unsigned long batches, batched, batch_max; /* one writer; atomic for /stats */
	struct epoll_event events[ROOM_BATCH];
};

static const char stop_tag, mail_tag;

static int room_watch(struct room *room, int fd, uint32_t events, const void *tag)
{
	struct epoll_event event = { .events = events, .data.ptr = (void *)tag };

	return epoll_ctl(room->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Added at its first response, re-armed at later ones; close() takes it out. */
static int room_arm(struct room *room, struct conn *c)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = c };

	if (epoll_ctl(room->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0)
		return 0;
	return errno == ENOENT ? room_watch(room, c->fd, event.events, c) : -errno;
}

/* Where the kernel cannot tell us about room, a writer finds out. */
static void room_take(struct room *room, struct fifo fifo, struct fifo *batch)
{
	struct conn *c;

	while ((c = fifo_take(&fifo)))
		if (room_arm(room, c) < 0)
			fifo_put(batch, c);
}

static void room_hand_out(struct room *room, struct fifo *batch)
{
	unsigned long length = (unsigned long)batch->length;
	struct conn *c;

	counter_add_relaxed(&room->batches, 1);
	counter_add_relaxed(&room->batched, length);
	counter_raise_relaxed(&room->batch_max, length);
	room->pending = batch->length; /* no writer has one yet */
	while ((c = fifo_take(batch)))
		room->ready(room, &room->worker, c);
}

/* Soon: writers do not block, and are sent home only after this thread is. */
static struct fifo room_wait_back(struct room *room)
{
	struct fifo stalled;

	pthread_mutex_lock(&room->lock);
	while (room->pending)
		pthread_cond_wait(&room->is_back, &room->lock);
	stalled = room->stalled;
	room->stalled = (struct fifo){ 0 };
	pthread_mutex_unlock(&room->lock);
	return stalled;
}

static int room_turn(struct room *room)
{
	struct fifo batch = { 0 };
	int n = epoll_wait(room->epoll_fd, room->events, ROOM_BATCH, -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (server_is_stopping(room->worker.server))
		return 0;
	for (int i = 0; i < n; i++) {
		void *tag = room->events[i].data.ptr;

		if (tag == &mail_tag)
			room_take(room, mailbox_empty(&room->mailbox), &batch);
		else if (tag != &stop_tag)
			fifo_put(&batch, tag);
	}
	if (!batch.length)
		return 0;
	room_hand_out(room, &batch);
	/* What could not be armed again is tried again with the next mail: by mailbox. */
	room_take(room, room_wait_back(room), &batch);
	for (struct conn *c; (c = fifo_take(&batch));)
		mailbox_post(&room->mailbox, c);
	return 0;
}

int room_serve(struct room *room)
{
	int ret = 0;

	while (!ret && !server_is_stopping(room->worker.server))
		ret = room_turn(room);
	return ret;
}

void room_post(struct room *room, struct conn *c)
{
	mailbox_post(&room->mailbox, c);
}

void room_return(struct room *room, struct conn *c)
{
	bool is_last;

	pthread_mutex_lock(&room->lock);
	if (c)
		fifo_put(&room->stalled, c);
	is_last = --room->pending == 0;
	/* Inside, or the room might be freed under the signal. */
	if (is_last)
		pthread_cond_signal(&room->is_back);
	pthread_mutex_unlock(&room->lock);
}

void *room_context(const struct room *room)
{
	return room->context;
}

static int room_init(struct room *room, struct server *srv)
{
	int ret = worker_init(&room->worker, srv);

	if (ret)
		return ret;
	ret = mailbox_init(&room->mailbox);
	if (ret)
		goto no_mailbox;
	room->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (room->epoll_fd < 0) {
		ret = -errno;
		goto no_epoll;
	}
	ret = room_watch(room, srv->stop_fd, EPOLLIN, &stop_tag);
	if (!ret)
		ret = room_watch(room, room->mailbox.wake_fd, EPOLLIN | EPOLLET, &mail_tag);
	if (!ret)
		return 0;
	close(room->epoll_fd);
no_epoll:
	mailbox_clear(&room->mailbox);
no_mailbox:
	worker_clear(&room->worker);
	return ret;
}

int room_new(struct server *srv, room_ready *ready, void *context, struct room **ret_room)
{
	struct room *room = calloc(1, sizeof(*room));
	int ret;

	if (!room)
		return -ENOMEM;
	room->ready = ready;
	room->context = context;
	pthread_mutex_init(&room->lock, NULL);
	pthread_cond_init(&room->is_back, NULL);
	ret = room_init(room, srv);
	if (ret)
		free(room);
	else
		*ret_room = room;
	return ret;
}

void room_free(struct room *room)
{
	if (!room)
		return;
	close(room->epoll_fd);
	mailbox_clear(&room->mailbox);
	worker_clear(&room->worker);
	pthread_cond_destroy(&room->is_back);
	pthread_mutex_destroy(&room->lock);
	free(room);
}

void room_print(const struct room *room, FILE *out)
{
	fprintf(out, ",\"batches\":%lu,\"batched\":%lu,\"batch_max\":%lu",
		__atomic_load_n(&room->batches, __ATOMIC_RELAXED),
		__atomic_load_n(&room->batched, __ATOMIC_RELAXED),
		__atomic_load_n(&room->batch_max, __ATOMIC_RELAXED));
}
