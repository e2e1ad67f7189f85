/* SPDX-License-Identifier: MIT */
/*
 * Waits that say nothing but EPOLLOUT to a thread with nothing to write are kept waiting a little
 * inside the call (policy/wake_mask.h decides how long): by the members' own numbers where all are
 * known (polled.h), which changes nothing; else with EPOLLOUT taken out of those registrations for
 * just that time: whenever this thread runs the host's code, they are the host's.
 *
 *	the host's own call -> EPOLLOUT alone -> MOD each without it -> ppoll of the set -> MOD each
 *	back -> the host's own call once more, with what is left of its time
 *
 * docs/DESIGN.md, "mask", has the rules. Raw system calls: no cancellation point. Keeps errno.
 */
#ifndef UNSPIN_MASK_H
#define UNSPIN_MASK_H

#include <signal.h>
#include <sys/epoll.h>

#include "config.h"
#include "masked.h"
#include "thread.h"

extern HIDDEN int mask_is_on; /* set in the constructor */

void mask_configure(const struct config *config);

/* ---- what the host's other calls do first ------------------------------------------------ */

/* Round the host's epoll_ctl, before anything else of ours. */
struct mask_ctl {
	struct fdrec *rec; /* NULL: nothing to say */
	uint32_t begun;
};

void mask_restore_fd(int fd);

static inline struct mask_ctl mask_ctl_begin(int fd)
{
	struct mask_ctl ctl = { mask_is_on ? fdtable_find(fd) : NULL, 0 };

	if (!ctl.rec)
		return ctl;
	ctl.begun = __atomic_add_fetch(&ctl.rec->ctls, 1u << 16 | 1, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&mask_in_force, __ATOMIC_SEQ_CST)))
		mask_restore_fd(fd);
	return ctl;
}

/* Two calls at once on one number: which was the last, the kernel alone knows. */
static inline void mask_ctl_end(struct mask_ctl ctl)
{
	uint32_t now;

	if (!ctl.rec)
		return;
	now = __atomic_sub_fetch(&ctl.rec->ctls, 1, __ATOMIC_SEQ_CST);
	if (unlikely((ctl.begun & 0xffff) != 1) || unlikely(now != ctl.begun - 1))
		or_relaxed(&ctl.rec->epoll_mask, EPOLLEXCLUSIVE);
}

/* The number, of a socket or of a set, is about to be closed (rec->closing says so already). */
void mask_closing(int fd);

/* A write on the socket has stalled, and its record says so. */
void mask_stalled_slow(const struct fdrec *rec);

static inline void mask_stalled(const struct fdrec *rec)
{
	if (!mask_is_on)
		return;
	/* Through a number that is not registered for writing, a copy's: who masks does not see that
	 * record. */
	if (load_relaxed(&rec->epoll_fd) < 0 || !(load_relaxed(&rec->epoll_mask) & EPOLLOUT))
		add_relaxed(&mask_stalls_elsewhere, 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(load_acquire(&mask_in_force)))
		mask_stalled_slow(rec);
}

/* Another thread may be inside a wait for the same set. */
void mask_before_wait_slow(int epfd);

static inline void mask_before_wait(int epfd)
{
	if (unlikely(load_acquire(&mask_in_force)))
		mask_before_wait_slow(epfd);
}

/*
 * Ends what this thread has in force: at the end of the wait; or it has left one by a jump, or
 * ends. It has a context. 0: others have had to put some back before.
 */
int mask_put_back(void);

/* ---- the wait itself --------------------------------------------------------------------- */

struct mask_wait {
	uint64_t enter_ns;
	int64_t timeout_ns; /* the host's; -1: none */
	int epfd, max;
	struct epoll_event *events;
	const sigset_t *signals; /* NULL: the thread's own */
};

/* Is the thread's wait to be treated, if all it has brought is EPOLLOUT? */
static inline int mask_is_due(int returned)
{
	const struct thread_context *context = thread_self.context;

	return context && context->mask.wake.hold.us && returned > 0;
}

/*
 * The host's call has returned *returned events. 1: it is to be made once more, with
 * mask_left_ns() of its time; 0: *returned is what the host is to see.
 */
int mask_hold(const struct mask_wait *wait, int *returned);

/* Time left of the host's timeout; -1: for ever. */
int64_t mask_left_ns(const struct mask_wait *wait);

/* The same for calls that count in milliseconds, never short of it. */
static inline int mask_left_ms(const struct mask_wait *wait)
{
	int64_t left = mask_left_ns(wait);

	return left < 0 ? -1 : (int)((left + 999999) / 1000000);
}

/* And for epoll_pwait2: *ret_left or, for ever, NULL. */
static inline const struct timespec *mask_left_timespec(const struct mask_wait *wait,
							struct timespec *ret_left)
{
	int64_t left = mask_left_ns(wait);

	ret_left->tv_sec = left / 1000000000;
	ret_left->tv_nsec = left % 1000000000;
	return left < 0 ? NULL : ret_left;
}

/* A wait of the thread for the set has returned; kinds: all bits of its events together. */
void mask_returned(int epfd, struct epoll_row *row, uint64_t enter_ns, uint32_t kinds,
		   const struct epoll_event *events, int returned, const void *site);

#endif
