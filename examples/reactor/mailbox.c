/* SPDX-License-Identifier: MIT */
#include "mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *box)
{
	*box = (struct mailbox){ .lock = PTHREAD_MUTEX_INITIALIZER };
	box->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return box->wake_fd < 0 ? -errno : 0;
}

void mailbox_clear(struct mailbox *box)
{
	pthread_mutex_destroy(&box->lock);
	close(box->wake_fd);
}

void mailbox_post(struct mailbox *box, struct conn *c)
{
	bool was_empty;

	pthread_mutex_lock(&box->lock);
	was_empty = !box->fifo.first;
	fifo_put(&box->fifo, c);
	pthread_mutex_unlock(&box->lock);
	if (was_empty)
		eventfd_write(box->wake_fd, 1);
}

struct fifo mailbox_empty(struct mailbox *box)
{
	struct fifo fifo;

	pthread_mutex_lock(&box->lock);
	fifo = box->fifo;
	box->fifo = (struct fifo){ 0 };
	pthread_mutex_unlock(&box->lock);
	return fifo;
}
