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

#include "ahead.h"
#include "guard.h"
#include "request.h"
#include "socket.h"
#include "thread.h"

/*
 * The descriptor's record when it is a stream socket we count, else NULL; claims the thread.
 * is_proof: a call that only sockets accept has succeeded on it. Slow paths only.
 */
struct fdrec *observe_stream_record(int fd, int is_proof);

/*
 * One send-side call that is not a full write on a quiet socket. Returns what the host is to
 * see, which is `returned` unless the write was gone on with; errno accordingly.
 */
ssize_t observe_write_slow(const struct request *request, ssize_t returned);

/*
 * One receive-side call; is_recv: recv and kin, which only sockets accept. Returns what the host
 * is to see: `returned`, or -1 where the kernel's "end of data" hides an error that a retry met.
 */
ssize_t observe_read_slow(int fd, ssize_t returned, int is_recv, const void *site);

/* One accept on a listener: the new descriptor, or -1 with errno. site: where it returns to. */
void observe_accept(int listener, int returned, const struct sockaddr *peer,
		    socklen_t peer_bytes, const void *site);

/*
 * Right before a call. Afterwards has_sent tells whether another call on the socket has sent
 * something meanwhile: a signal handler's, as the call returned, or (mostly) another thread's.
 * Then this one must not be gone on with: retry.h. Costs two instructions on the fast path.
 */
static inline void observe_begin(struct fdrec *rec)
{
	if (rec)
		store_relaxed(&rec->has_sent, SENT_NOTHING);
}

/*
 * The fast path: 1 when this was a full write on a quiet socket, counted; 0: not counted yet.
 * `rec` is what fdtable_find(fd) gave before the call, and ahead_wanted() said no: the thread is
 * its user, so it has an id and a row. Records are never freed, only restarted.
 */
static inline int observe_full_write(struct fdrec *rec, ssize_t returned, size_t asked)
{
	if (likely(load_relaxed(&rec->tag) == fd_tags.quiet) && likely((size_t)returned == asked)) {
		struct thread_row *self = thread_self.row;
		struct socket_row *row = fdrec_row(rec);

		count_add(&self->total[TOTAL_WRITES], 1);
		count_add(&self->total[TOTAL_WRITE_BYTES], asked);
		count_add(&row->writes, 1);
		count_add(&row->write_bytes, asked);
		count_add(&rec->spin.response_bytes, asked);
		store_relaxed(&rec->pending, 0);
		store_relaxed(&rec->has_sent, SENT_FULL);
		return 1;
	}
	return 0;
}

static inline ssize_t observe_read(int fd, struct fdrec *rec, ssize_t returned, int is_recv)
{
	if (likely(rec) && likely(load_relaxed(&rec->tag) == fd_tags.quiet) &&
	    likely(returned > 0) && likely(load_relaxed(&rec->user) == thread_self.id) &&
	    likely(load_relaxed(&rec->is_looked_at)) &&
	    likely(load_relaxed(&rec->spin.response_bytes) <= load_relaxed(&rec->room_bytes))) {
		struct thread_row *self = thread_self.row;
		struct socket_row *row = fdrec_row(rec);
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
		return returned;
	}
	/* Of a wrapper's second half (COUNTED), reached by a jump: the host's. */
	return observe_read_slow(fd, returned, is_recv, __builtin_return_address(0));
}

#endif
