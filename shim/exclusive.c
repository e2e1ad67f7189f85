/* SPDX-License-Identifier: MIT */
#include "exclusive.h"

#include "action.h"
#include "epoll_set.h"
#include "fdlock.h"
#include "socket.h"
#include "sys.h"
#include "thread.h"
#include "watch.h"

#include <string.h>

int exclusive_is_on;

/* Asking how often the thread has slept costs 0.3 us: at every eighth event of a listener. */
#define VAIN_EVERY 8

static int is_forced;
static uint8_t is_refused;  /* a filter forbids what we need: nothing more is treated */
static int has_added;	    /* in this process or an ancestor */
static int has_host_added;  /* the host uses EPOLLEXCLUSIVE itself: it knows better */

void exclusive_configure(const struct config *config)
{
	uint64_t wake = config->value[CONFIG_wake];

	is_forced = (wake & WAKE_EXCLUSIVE) != 0;
	exclusive_is_on = config->value[CONFIG_mode] == MODE_ADAPT &&
			  (wake & (WAKE_AUTO | WAKE_EXCLUSIVE)) != 0;
}

/* Natively another watcher would have been woken as well: now it is. Lock held. */
static void pass_on(const struct watch *w)
{
	long r = watch_ring_if_waiting(w);

	if (sys_is_refusal(r))
		stats_refused(&is_refused);
	if (r > 0)
		thread_add(TOTAL_WAKEUPS_PASSED_ON, 1);
}

static uint32_t accepted_now(void)
{
	return thread_self.context ? thread_self.context->accepted : 0;
}

/* DEL and ADD: the only way to and from EPOLLEXCLUSIVE. 0 or -errno. Lock held. */
static long put(struct watch *w, int is_exclusive)
{
	struct epoll_event event = { .events = w->mask, .data.u64 = w->data };
	int epfd = watch_epfd(w), fd = watch_fd(w);
	long r = sys_call(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, fd, &event, 0, 0);

	if (r < 0)
		return r;
	wake_turn_begin(&w->turn, accepted_now());
	if (is_exclusive != w->is_exclusive)
		store_relaxed(&w->sleeps, 0); /* those till now say nothing of what follows */
	if (is_exclusive) {
		event.events |= EPOLLEXCLUSIVE;
		r = sys_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &event, 0, 0);
		event.events = w->mask;
	}
	if (!is_exclusive || r < 0) {
		is_exclusive = 0;
		r = sys_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &event, 0, 0);
	}
	/* No memory, though the same entry's has just been freed. Nothing can be done. */
	if (r < 0)
		stats_global_add(GLOBAL_ODD, 1);
	store_relaxed(&w->is_exclusive, (uint8_t)is_exclusive);
	has_added |= is_exclusive;
	return r;
}

static void note(int fd, enum strategy strategy, enum reason reason)
{
	struct fdrec *rec = fdtable_find(fd);

	if (!rec || fdrec_kind(rec) != FD_LISTENER || !fdrec_try_lock(rec))
		return;
	action_note(fd, rec, strategy, reason);
	fdrec_unlock(rec);
}

/* May the registration be treated? TCP only: watch_ring() does more to others. */
static int may_be_exclusive(const struct watch *w)
{
	const struct fdrec *rec = fdtable_find(watch_fd(w));

	return !load_relaxed(&w->is_left) && !load_relaxed(&w->is_inherited) &&
	       !load_relaxed(&is_refused) && load_relaxed(&w->thread) &&
	       !load_relaxed(&has_host_added) && !epoll_set_is_foreign(watch_epfd(w)) && rec &&
	       rec->socket_kind == SOCKET_KIND_TCP && wake_may_be_exclusive(load_relaxed(&w->mask));
}

/* From here on one watcher is woken per connection; the bell must be known to work. Lock held. */
static void make_exclusive(struct watch *w)
{
	int fd = watch_fd(w);
	long r;

	if (sys_cookie(fd) != w->cookie)
		return;
	r = watch_ring(fd);
	if (sys_is_refusal(r))
		stats_refused(&is_refused);
	if (r < 0 || put(w, 1) < 0 || !w->is_exclusive) {
		store_relaxed(&w->is_left, 1);
		return;
	}
	store_relaxed(&w->listener->is_added, 1); /* also for a child that shares the set */
	thread_add(TOTAL_EXCLUSIVE_ADDS, 1);
	count_add(&fdrec_row(fdtable_find(fd))->exclusive_adds, 1);
	note(fd, STRATEGY_EXCLUSIVE, is_forced ? REASON_EXCLUSIVE_FORCED : REASON_EXCLUSIVE_HERD);
}

static void give_back(struct watch *w, enum reason reason)
{
	int fd = watch_fd(w);

	if (epoll_set_is_foreign(watch_epfd(w)))
		reason = REASON_NOT_SEEN;
	if (put(w, 0) < 0)
		return;
	thread_add(TOTAL_EXCLUSIVE_WITHDRAWALS, 1);
	note(fd, STRATEGY_NONE, reason);
}

/* ---- the host's epoll_ctl --------------------------------------------------------------- */

COLD struct exclusive_call exclusive_begin_slow(int op, int fd)
{
	struct exclusive_call call = { .guard = guard_enter() };
	struct fdrec *rec = fdtable_find(fd);

	/* Inherited over exec or passed: nobody has asked yet what it is. */
	if ((!rec || fdrec_kind(rec) == FD_UNKNOWN) && op == EPOLL_CTL_ADD) {
		if (sys_sockopt_int(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
			goto out;
		rec = fdtable_get(fd);
	}
	if (rec && socket_resolve(fd, rec) == FD_LISTENER) {
		thread_claim();
		call.is_held = watch_lock(&call.signals, 1);
		if (!call.is_held)
			stats_global_add(GLOBAL_CONTENDED, 1);
	}
out:
	/* Held, the guard stays up too: no cancellation before exclusive_end(). */
	if (!call.is_held)
		guard_leave(call.guard);
	return call;
}

/* Lock held; the thread that waits for it reads without. */
static void note_registration(struct watch *w, const struct epoll_event *event)
{
	store_relaxed(&w->data, event->data.u64);
	store_relaxed(&w->mask, event->events);
}

static void added(int epfd, int fd, const struct epoll_event *event)
{
	uint64_t cookie = sys_cookie(fd);
	struct watch *w = cookie ? watch_add(epfd, fd, cookie) : NULL;

	if (!w)
		return;
	note_registration(w, event);
	store_relaxed(&w->thread, thread_self.id);
	watch_sit_down(w);
	if (event->events & EPOLLEXCLUSIVE) {
		store_relaxed(&has_host_added, 1);
		w->is_hosts = 1;
		store_relaxed(&w->is_left, 1);
	}
	if (wake_listener_look(w->listener, is_forced) == WAKE_VERDICT_EXCLUSIVE &&
	    may_be_exclusive(w))
		make_exclusive(w);
}

/*
 * EPOLL_CTL_MOD of an exclusive registration, which the kernel refuses: EINVAL, after it has
 * found set, descriptor and registration in order. Returns what the host is to see.
 */
static long translate(int epfd, int fd, struct watch *w, const struct epoll_event *event)
{
	struct watch other = { .key = watch_key(epfd, fd) }; /* the set under another number */
	int was_exclusive;
	long r;

	if (event->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	if (w ? w->is_hosts || !(w->is_exclusive || load_relaxed(&w->listener->is_added))
	      : has_host_added || !has_added)
		return -EINVAL;
	if (!w)
		w = &other;
	was_exclusive = w->is_exclusive;
	note_registration(w, event);
	/* Edge-triggered too: ADD reports what is there, as MOD does. */
	r = put(w, was_exclusive && wake_may_be_exclusive(event->events));
	if (r < 0)
		return r;
	thread_add(TOTAL_MODS_TRANSLATED, 1);
	if (!(event->events & EPOLLIN) && w->cookie)
		pass_on(w); /* this watcher may have had the one wake-up */
	return 0;
}

int exclusive_end(struct exclusive_call *call, int epfd, int op, int fd,
		  const struct epoll_event *event, int returned)
{
	int error = errno, errno_before = call->guard.saved_errno;
	struct watch *w = watch_find(epfd, fd);

	call->guard.saved_errno = error;
	if (w)
		store_relaxed(&w->is_pending, 0); /* the host has dealt with it */
	if (op == EPOLL_CTL_ADD && returned == 0) {
		added(epfd, fd, event);
	} else if (op == EPOLL_CTL_MOD && returned == 0 && w) {
		note_registration(w, event);
		store_relaxed(&w->is_exclusive, 0); /* or the kernel would have refused */
	} else if (op == EPOLL_CTL_MOD && returned < 0 && error == EINVAL) {
		long r = translate(epfd, fd, w, event);

		returned = r < 0 ? -1 : 0;
		call->guard.saved_errno = r < 0 ? (int)-r : errno_before;
	} else if (op == EPOLL_CTL_DEL && w && (returned == 0 || error == ENOENT)) {
		if (returned == 0 && w->is_exclusive)
			pass_on(w);
		watch_drop(w);
	}
	watch_unlock(call->signals);
	guard_leave(call->guard);
	return returned;
}

/* ---- events and accepts ----------------------------------------------------------------- */

COLD struct fdrec *exclusive_find(int epfd, uint64_t data)
{
	int fd = watch_fd_of(epfd, data);

	return fd < 0 ? NULL : fdtable_find(fd);
}

/* The registration is left alone from now on, and everybody hears of what waits. */
static void leave(int epfd, const struct fdrec *rec)
{
	uint64_t signals;
	struct watch *w;

	if (!watch_lock(&signals, 0))
		return;
	w = watch_of(epfd, rec);
	if (w && !w->is_inherited) {
		store_relaxed(&w->is_left, 1);
		store_relaxed(&w->is_pending, 0);
		if (w->is_exclusive) {
			give_back(w, REASON_EXCLUSIVE_DOUBT);
			pass_on(w);
		}
	}
	watch_unlock(signals);
}

COLD int exclusive_delivered(int epfd, struct fdrec *rec)
{
	struct watch *w = watch_of(epfd, rec);
	struct wake_watcher *seat;

	if (!w || load_relaxed(&w->is_inherited))
		return 0;
	seat = load_relaxed(&w->seat); /* once: another thread may drop the registration */
	if (seat)
		add_relaxed(&seat->events, 1);
	if (load_relaxed(&w->is_left))
		return 0;
	/* Often a main thread registers the listener and another waits; but several threads in one
	 * set share its events, and which of them is to accept is not known. */
	if (!load_relaxed(&w->is_waited)) {
		store_relaxed(&w->is_waited, 1);
		if (load_relaxed(&w->thread) != thread_self.id)
			watch_sit_down(w);
		store_relaxed(&w->thread, thread_self.id);
	} else if (load_relaxed(&w->thread) != thread_self.id) {
		leave(epfd, rec);
		return 0;
	}
	store_relaxed(&w->is_pending, 1);
	return load_relaxed(&w->is_exclusive);
}

/*
 * No accept and no epoll_ctl since the event: the host does not take connections now, or another
 * thread does it for this one. Natively all watchers would have been woken.
 */
COLD void exclusive_settle(int epfd, struct fdrec *rec)
{
	struct watch *w = watch_of(epfd, rec);

	if (w && load_relaxed(&w->is_pending) && load_relaxed(&w->is_exclusive) &&
	    load_relaxed(&w->thread) == thread_self.id)
		leave(epfd, rec);
}

/*
 * Most of a herd is never seen: its epoll_wait finds the connection gone and sleeps on. What shows
 * is that the thread went to sleep more often than it waited. (So it does when it sleeps
 * elsewhere: then the treatment brings nothing and is withdrawn.)
 */
static uint64_t vain_sleeps(struct watch *w)
{
	uint32_t events = load_relaxed(&w->events) + 1;
	uint64_t sleeps, waits, before, vain = 0;

	store_relaxed(&w->events, events);
	if (events % VAIN_EVERY)
		return 0;
	sleeps = sys_thread_sleeps();
	waits = thread_total(TOTAL_WAITS);
	before = load_relaxed(&w->sleeps);
	if (before && sleeps - before > waits - load_relaxed(&w->waits))
		vain = sleeps - before - (waits - load_relaxed(&w->waits));
	store_relaxed(&w->sleeps, sleeps);
	store_relaxed(&w->waits, waits);
	/* Of one watcher alone they mean something else. (A dry accept does not: somebody else took
	 * the connection, whether we know of that process or not.) */
	if (load_relaxed(&load_relaxed(&w->listener)->watchers) < 2)
		return 0;
	thread_add(TOTAL_VAIN_SLEEPS, vain);
	return vain;
}

/* What an event was good for, counted for all processes. */
static void count_event(struct watch *w, struct fdrec *rec, int is_useful)
{
	struct wake_listener *listener = load_relaxed(&w->listener);
	uint64_t vain = vain_sleeps(w);

	count_add(&fdrec_row(rec)->vain_sleeps, vain);
	/* They came before this one is treated, which is next: the treatment is not to blame. */
	if (load_relaxed(&listener->verdict) == WAKE_VERDICT_EXCLUSIVE &&
	    !load_relaxed(&w->is_exclusive) && !load_relaxed(&w->is_left))
		vain = 0;
	if (is_useful)
		add_relaxed(&listener->useful, 1);
	if (!is_useful || vain)
		add_relaxed(&listener->herds, vain + !is_useful);
	if (wake_listener_asks(listener))
		add_relaxed(&listener->vain, watch_others_vain(w));
	wake_listener_look(listener, is_forced);
}

/* 1: its turn has come to go to the end of the queue. */
static int note_accepted(struct watch *w, int fd)
{
	struct fdrec *rec = fdtable_find(fd);

	if (rec && thread_self.context) {
		store_relaxed(&rec->is_accepted, 1);
		thread_self.context->accepted++;
	}
	return wake_turn_is_due(&w->turn, accepted_now());
}

/* Out of resources: natively the others had been woken, too, and one of them may have some. */
static int is_inability(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EPERM;
}

int exclusive_accepted(int fd, struct fdrec *rec, int returned, int error)
{
	struct watch *w = watch_own(fd, thread_self.id);
	int had_event, is_exclusive, is_wanted, is_turn, is_unable, is_edge, set;
	struct wake_listener *listener;
	uint64_t signals;

	if (!w)
		return -1;
	listener = load_relaxed(&w->listener);
	had_event = load_relaxed(&w->is_pending);
	set = had_event ? watch_epfd(w) : -1;
	store_relaxed(&w->is_pending, 0);
	is_unable = returned < 0 && is_inability(error);
	if (had_event && !is_unable)
		count_event(w, rec, returned >= 0);
	is_turn = returned >= 0 && note_accepted(w, returned);
	is_exclusive = load_relaxed(&w->is_exclusive);
	/* A fresh edge is no repetition: an edge-triggered one stays as it was added. */
	is_edge = (load_relaxed(&w->mask) & EPOLLET) != 0;
	is_wanted = is_edge ? is_exclusive
			    : load_relaxed(&listener->verdict) == WAKE_VERDICT_EXCLUSIVE &&
				      may_be_exclusive(w);
	is_turn &= is_exclusive && !is_edge;
	if (likely(is_wanted == is_exclusive && !is_turn && !(is_unable && is_exclusive)))
		return set;
	/* Only after an event with the data that was registered: then that is still so. */
	if ((!had_event && !is_unable) || !watch_lock(&signals, 0))
		return set;
	if (watch_own(fd, thread_self.id) == w) {
		if (is_unable)
			pass_on(w);
		else if (is_wanted && !w->is_exclusive)
			make_exclusive(w);
		else if (!is_wanted && w->is_exclusive)
			give_back(w, w->is_left ? REASON_EXCLUSIVE_DOUBT : REASON_EXCLUSIVE_NO_GAIN);
		else if (put(w, 1) == 0)
			thread_add(TOTAL_EXCLUSIVE_TURNS, 1);
	}
	watch_unlock(signals);
	store_relaxed(&fdrec_row(rec)->watchers, load_relaxed(&listener->watchers));
	return set;
}

COLD void exclusive_closing(int fd, enum fd_kind kind)
{
	uint64_t signals;

	if (!watch_lock(&signals, 1))
		return;
	for (uint32_t i = 0; i < watch_end; i++) {
		struct watch *w = &watches[i];

		if (!w->key || (kind == FD_EPOLL ? watch_epfd(w) : watch_fd(w)) != fd)
			continue;
		/*
		 * The registration outlives the number where another process has the listener
		 * open: an exclusive one would go on taking wake-ups that nobody uses.
		 */
		if (w->is_exclusive && !w->is_inherited) {
			if (kind != FD_EPOLL)
				put(w, 0);
			pass_on(w);
		}
		watch_drop(w);
	}
	watch_unlock(signals);
}
