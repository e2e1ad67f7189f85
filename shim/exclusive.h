/* SPDX-License-Identifier: MIT */
/*
 * EPOLLEXCLUSIVE for listeners that wake several epoll sets or processes per connection
 * (policy/wake.h decides). docs/DESIGN.md, "What is done about wake-ups", has the rules; the
 * host's own epoll_ctl is always made first and as it is, so its errors are the kernel's.
 *
 * All functions keep errno, but exclusive_end(), which sets what the host is to see.
 */
#ifndef UNSPIN_EXCLUSIVE_H
#define UNSPIN_EXCLUSIVE_H

#include <sys/epoll.h>

#include "config.h"
#include "fdtable.h"
#include "guard.h"
#include "thread.h"

/* 1: listeners' registrations are followed. Set in the constructor, never with mode=observe. */
extern HIDDEN int exclusive_is_on;

void exclusive_configure(const struct config *config);

/* Round the host's epoll_ctl. */
struct exclusive_call {
	int is_held; /* the lock is held: exclusive_end() is owed */
	struct guard guard;
	uint64_t signals;
};

struct exclusive_call exclusive_begin_slow(int op, int fd);

/* Before the real call. A handful of instructions for everything but listeners. */
static inline struct exclusive_call exclusive_begin(int op, int fd)
{
	const struct fdrec *rec = exclusive_is_on ? fdtable_find(fd) : NULL;
	enum fd_kind kind = rec ? fdrec_kind(rec) : FD_UNKNOWN;

	if (unlikely(kind == FD_LISTENER) ||
	    (unlikely(kind == FD_UNKNOWN) && op == EPOLL_CTL_ADD && exclusive_is_on))
		return exclusive_begin_slow(op, fd);
	return (struct exclusive_call){ .is_held = 0 };
}

/* After it, when is_held: returns what the host is to see, errno accordingly. */
int exclusive_end(struct exclusive_call *call, int epfd, int op, int fd,
		  const struct epoll_event *event, int returned);

/* An event that the map does not know: the record of the listener registered with this data. */
struct fdrec *exclusive_find(int epfd, uint64_t data);

/* An event of a listener was given to this thread. 1: exclusive_settle() is wanted. */
int exclusive_delivered(int epfd, struct fdrec *rec);

/* The thread waits again after such an event. */
void exclusive_settle(int epfd, struct fdrec *rec);

/*
 * An accept returned: a descriptor, or -1 with `error`. Returns this thread's set when an event of
 * it preceded, else -1.
 */
int exclusive_accepted(int fd, struct fdrec *rec, int returned, int error);

/* The host closes a connection. Of another thread's it is not known that this one had it. */
static inline void exclusive_let_go(const struct fdrec *rec)
{
	struct thread_context *context = thread_self.context;

	if (load_relaxed(&rec->is_accepted) && context && context->accepted)
		context->accepted--;
}

/* The listener or the set is about to be closed by the host, in this process. */
void exclusive_closing(int fd, enum fd_kind kind);

#endif
