/* SPDX-License-Identifier: MIT */
/*
 * Before the host's send-side call, when the record asks for it: the write is longer than what
 * surely fits (room_bytes), the socket is fresh, or in another thread's hands, or stalled, or a
 * retry has kept an error for the host.
 *
 * Growth ahead of the first stall: by the length argument, or by what responses of the same
 * class needed. Vectors are not read before the kernel has (the host may pass garbage and expect
 * EFAULT), so for them only the class counts.
 */
#ifndef UNSPIN_AHEAD_H
#define UNSPIN_AHEAD_H

#include "fdtable.h"
#include "request.h"
#include "thread.h"

/* A fresh socket: the first write large enough to matter is looked at. Below CLASS_MIN_BYTES. */
#define AHEAD_FRESH_ROOM 511

/* True when ahead_look() must be called. bytes: 0 for vectors, or the length argument. */
static inline int ahead_wanted(const struct fdrec *rec, size_t bytes)
{
	return unlikely(!rec) || unlikely(bytes > load_relaxed(&rec->room_bytes)) ||
	       unlikely(load_relaxed(&rec->users) != thread_ids);
}

/*
 * Returns 0: make the call; request->rec is then the record it is entered in, or NULL. Otherwise
 * the errno to fail with instead: an error that a retry met and that the host would have met in
 * this call without us. Keeps errno.
 */
int ahead_look(struct request *request);

/*
 * The write begins a response, or a stall: from now on the record is of the write's class, if it is
 * large enough to have one. Lock held; the wrapper that made the request has not returned.
 */
void ahead_note_class(struct fdrec *rec, const struct request *request);

/* The receive side hands such an error over too. */
int ahead_take_error(int fd);

#endif
