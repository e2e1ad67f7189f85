/* SPDX-License-Identifier: MIT */
/*
 * Which listener is registered in which epoll set of this process, with what; and what all
 * processes that share a listener know of it together.
 *
 * The first is a small table of this process. It changes under one lock only, which is held with
 * all signals blocked and across nothing but a few epoll_ctl calls: so a signal handler never
 * meets it held by the code it interrupted, and whoever else meets it held waits for
 * microseconds, and not for ever (then the host's call goes through as it is). The thread that
 * waits for a registration reads without the lock, while another may drop it or make a new one of
 * it: then what it counts is counted for the new one.
 *
 * The second are pages shared over fork, mapped when the process first listens, so before a
 * server forks its workers. Rows are found by the listener's SO_COOKIE. They hold counts and a
 * verdict, no pointers: a process that writes nonsense there harms the treatment, nothing else.
 */
#ifndef UNSPIN_WATCH_H
#define UNSPIN_WATCH_H

#include "../policy/wake.h"
#include "atomic.h"

struct watch {
	uint64_t key;	/* of epfd and fd: watch_key(); 0: free */
	uint64_t data;	/* the host's, never ours */
	uint64_t cookie; /* the listener's */
	struct wake_listener *listener; /* shared */
	struct wake_watcher *seat;	/* there; NULL: all are taken */
	uint32_t mask;	 /* the host's */
	uint32_t thread; /* id of the thread that registered it, later of the one that waits for it */
	struct wake_turn turn;
	uint32_t events; /* given to the thread */
	uint64_t sleeps, waits; /* of the thread, when they were last compared */
	uint8_t is_pending;   /* the thread was given an event and has not accepted since */
	uint8_t is_exclusive; /* we have added EPOLLEXCLUSIVE */
	uint8_t is_left;      /* left alone for good: a doubt, or the host's own EPOLLEXCLUSIVE */
	uint8_t is_hosts;     /* the host has added EPOLLEXCLUSIVE */
	uint8_t is_waited;    /* `thread` has been given an event of it */
	uint8_t is_inherited; /* made by a parent process, in a set that is the parent's too */
	uint8_t is_counted;   /* in listener->watchers */
};

#define WATCH_COUNT 256 /* sets x listeners; further registrations are left alone */

extern HIDDEN struct watch watches[WATCH_COUNT];
extern HIDDEN uint32_t watch_end; /* used entries lie below */

static inline uint64_t watch_key(int epfd, int fd)
{
	return (uint64_t)(unsigned)epfd << 32 | ((uint64_t)(unsigned)fd + 1);
}

static inline int watch_epfd(const struct watch *w)
{
	return (int)(load_relaxed(&w->key) >> 32);
}

static inline int watch_fd(const struct watch *w)
{
	return (int)(uint32_t)(load_relaxed(&w->key) - 1);
}

/*
 * Takes the lock and blocks signals; *ret_signals is to be handed to watch_unlock(). 0: not got
 * (another thread is at it and may_wait is 0 or it takes too long, or a filter refuses).
 */
int watch_lock(uint64_t *ret_signals, int may_wait);
void watch_unlock(uint64_t signals);

/* The registration, or NULL. With the lock, or for the thread that made it. */
struct watch *watch_find(int epfd, int fd);

/* The calling thread's registration of the listener, of several the one whose event it was
 * given; or NULL. No lock. */
struct watch *watch_own(int fd, uint32_t thread);

/* The same by the listener's record; without the lock, to be compared only. */
struct fdrec;
struct watch *watch_of(int epfd, const struct fdrec *rec);

/* The descriptor registered in the set with this data, or -1. No lock. */
int watch_fd_of(int epfd, uint64_t data);

/* A fresh entry (or the old one of this key, emptied); NULL: table or page full. Lock held. */
struct watch *watch_add(int epfd, int fd, uint64_t cookie);

/* This thread waits for it: the others may ask what it uses. */
void watch_sit_down(struct watch *w);

/* How often the other watchers were woken in vain since the last look, by their CPU time. */
uint64_t watch_others_vain(const struct watch *w);

/* The registration is gone. Lock held; NULL is allowed. */
void watch_drop(struct watch *w);

/*
 * Wakes everybody who waits for the listener: shutdown(SHUT_WR) of a listening TCP socket does
 * that (sk_state_change in inet_shutdown) and nothing else. It is for connections whose one
 * wake-up went to a watcher that did not take them. Lock held, so nobody closes the number
 * meanwhile through our wrappers. 0 or -errno.
 */
long watch_ring(int fd);

/* The same if a connection waits and the number is still the listener: 1 it was done, 0, -errno. */
long watch_ring_if_waiting(const struct watch *w);

/* The process listens: makes the shared page while there is one process. Keeps errno. */
void watch_begin(void);

/* Fork child: what is registered is the parent's. */
void watch_begin_child(void);

#endif
