/* SPDX-License-Identifier: MIT */
/*
 * What every write, read and accept passes through after the real call: counts on the fast path,
 * hands the rest to the probes, asks the policy, has the verdict carried out.
 *
 * Budget of the fast path (docs/RESULTS.md holds it): 60 instructions for a full write on a
 * known socket, 25 on a non-socket. It touches the record's tag and user, and five counters.
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
	FROM_MEMORY,   /* write, send and kin: short means the buffer was full */
	FROM_FILE,     /* sendfile, splice: short or EAGAIN may come from the other side */
};

/* One send-side call; flags are send()'s. Slow path of observe_write. */
void observe_write_slow(int fd, ssize_t returned, size_t asked, int flags,
			enum observe_source source);

/* One receive-side call. Slow path of observe_read. */
void observe_read_slow(int fd, ssize_t returned);

/* One accept on a listener: the new descriptor, or -1 with errno. */
void observe_accept(int listener, int returned, const struct sockaddr *peer,
		    socklen_t peer_bytes);

static inline void observe_write(int fd, ssize_t returned, size_t asked, int flags,
				 enum observe_source source)
{
	struct fdrec *rec = fdtable_find(fd);

	if (likely(rec != NULL)) {
		uint32_t tag = load_relaxed(&rec->tag);
		struct thread_row *self = thread_self.row;

		if (likely(tag == fd_tags.quiet && (size_t)returned == asked && self &&
			   load_relaxed(&rec->user) == thread_self.id)) {
			struct socket_row *row = rec->socket;

			count_add(&self->total[TOTAL_WRITES], 1);
			count_add(&self->total[TOTAL_WRITE_BYTES], asked);
			count_add(&row->writes, 1);
			count_add(&row->write_bytes, asked);
			count_add(&rec->spin.response_bytes, asked);
			if (unlikely(load_relaxed(&rec->pending) & READY_OUT))
				store_relaxed(&rec->pending, 0);
			return;
		}
		if (tag == fd_tags.not_socket || tag == fd_tags.other_socket)
			return;
	}
	observe_write_slow(fd, returned, asked, flags, source);
}

static inline void observe_read(int fd, ssize_t returned)
{
	struct fdrec *rec = fdtable_find(fd);

	if (likely(rec != NULL)) {
		uint32_t tag = load_relaxed(&rec->tag);
		struct thread_row *self = thread_self.row;

		if (likely(tag == fd_tags.quiet && returned > 0 && self &&
			   load_relaxed(&rec->user) == thread_self.id &&
			   !load_relaxed(&rec->spin.response_bytes))) {
			struct socket_row *row = rec->socket;

			count_add(&self->total[TOTAL_READS], 1);
			count_add(&self->total[TOTAL_READ_BYTES], (uint64_t)returned);
			count_add(&row->reads, 1);
			count_add(&row->read_bytes, (uint64_t)returned);
			store_relaxed(&rec->pending, 0);
			return;
		}
		if (tag == fd_tags.not_socket || tag == fd_tags.other_socket)
			return;
	}
	observe_read_slow(fd, returned);
}

/*
 * A call that only a socket accepts succeeded on a descriptor recorded as no socket: the number
 * was reused out of our sight (socketpair, F_DUPFD, SCM_RIGHTS after fclose).
 */
static inline void observe_is_socket(int fd, ssize_t returned)
{
	struct fdrec *rec = fdtable_find(fd);

	if (unlikely(returned >= 0 && rec && load_relaxed(&rec->tag) == fd_tags.not_socket))
		store_relaxed(&rec->tag, FD_UNKNOWN);
}

#endif
