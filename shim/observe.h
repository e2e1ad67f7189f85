/* SPDX-License-Identifier: MIT */
/*
 * What every write, read and accept passes through after the real call: counts on the fast path,
 * hands the rest to the probes, asks the policy, has the verdict carried out.
 *
 * Budget of the fast path (`make cost` holds it): 60 instructions for a full write on a known
 * socket; 25 on a non-socket, where the real call is the wrapper's last jump. It touches the
 * record's tag and user, and five counters.
 * errno is untouched on the fast path and restored on the slow one.
 */
#ifndef UNSPIN_OBSERVE_H
#define UNSPIN_OBSERVE_H

#include <errno.h>
#include <sys/types.h>

#include "guard.h"
#include "socket.h"
#include "thread.h"

enum observe_source {
	FROM_MEMORY, /* write, writev, sendfile: short means the buffer was full */
	FROM_SEND,   /* send and kin: the same, and only sockets accept the call */
	FROM_PIPE,   /* splice: short or EAGAIN may come from the other side */
};

/* One send-side call; flags are send()'s. Slow path of observe_write. */
void observe_write_slow(int fd, ssize_t returned, size_t asked, int flags,
			enum observe_source source);

/* One receive-side call; is_recv: recv and kin, which only sockets accept. */
void observe_read_slow(int fd, ssize_t returned, int is_recv);

/* One accept on a listener: the new descriptor, or -1 with errno. */
void observe_accept(int listener, int returned, const struct sockaddr *peer,
		    socklen_t peer_bytes);

/* `rec` is what fdtable_find(fd) gave before the call: records are never freed, only restarted. */
static inline void observe_write(int fd, struct fdrec *rec, ssize_t returned, size_t asked,
				 int flags, enum observe_source source)
{
	if (likely(rec) && likely(load_relaxed(&rec->tag) == fd_tags.quiet) &&
	    likely((size_t)returned == asked) && likely(returned >= 0) &&
	    likely(load_relaxed(&rec->user) == thread_self.id)) {
		struct thread_row *self = thread_self.row; /* it has an id, so it has a row */
		struct socket_row *row = rec->socket;

		count_add(&self->total[TOTAL_WRITES], 1);
		count_add(&self->total[TOTAL_WRITE_BYTES], asked);
		count_add(&row->writes, 1);
		count_add(&row->write_bytes, asked);
		count_add(&rec->spin.response_bytes, asked);
		store_relaxed(&rec->pending, 0);
		return;
	}
	observe_write_slow(fd, returned, asked, flags, source);
}

static inline void observe_read(int fd, struct fdrec *rec, ssize_t returned, int is_recv)
{
	if (likely(rec) && likely(load_relaxed(&rec->tag) == fd_tags.quiet) &&
	    likely(returned > 0) && likely(load_relaxed(&rec->user) == thread_self.id) &&
	    likely(rec->is_looked_at)) {
		struct thread_row *self = thread_self.row;
		struct socket_row *row = rec->socket;
		uint64_t response = load_relaxed(&rec->spin.response_bytes);

		count_add(&self->total[TOTAL_READS], 1);
		count_add(&self->total[TOTAL_READ_BYTES], (uint64_t)returned);
		count_add(&row->reads, 1);
		count_add(&row->read_bytes, (uint64_t)returned);
		store_relaxed(&rec->pending, 0);
		if (response) {
			store_relaxed(&rec->spin.response_bytes, 0);
			count_add(&self->total[TOTAL_RESPONSES], 1);
			socket_note_response(row, response);
		}
		return;
	}
	observe_read_slow(fd, returned, is_recv);
}

#endif
