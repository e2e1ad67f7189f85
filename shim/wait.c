/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include "classes.h"
#include "epoll_map.h"
#include "epoll_set.h"
#include "exclusive.h"
#include "fdlock.h"
#include "gather.h"
#include "stretch.h"
#include "sys.h"
#include "waste.h"

int64_t wait_read_timespec(int returned, const struct timespec *t)
{
	/* An absurdly long timeout must not overflow into a short one. */
	if (returned < 0 || !t || t->tv_sec < 0 || t->tv_sec > 1000000000)
		return -1;
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/*
 * Writable events the thread was given and has neither used nor unregistered since. The list is
 * taken first: a signal handler that waits meanwhile finds it empty and may write over it, which
 * at worst settles an event of the handler's early.
 */
static void settle_outs(struct thread_context *context)
{
	uint32_t n = load_relaxed(&context->outs);

	store_relaxed(&context->outs, 0);
	while (n--) {
		struct fdrec *rec = context->out[n].rec;
		int epfd = context->out[n].epfd;
		struct fdrec *set;

		if (fdrec_kind(rec) == FD_LISTENER && epfd >= 0) {
			exclusive_settle(epfd, rec);
			continue;
		}
		if (!fdrec_is_current(rec) || fdrec_kind(rec) == FD_UNKNOWN ||
		    !ready_is_unused_out(load_relaxed(&rec->pending)))
			continue;
		store_relaxed(&rec->pending, 0);
		thread_add(TOTAL_UNUSED_OUT, 1);
		count_add(&fdrec_row(rec)->unused_out, 1);
		set = epfd < 0 ? NULL : fdtable_find(epfd);
		if (set && fdrec_is_current(set) && fdrec_kind(set) == FD_EPOLL)
			count_add(&set->epoll->unused_out, 1);
	}
}

COLD uint64_t wait_enter_slow(int64_t timeout_ns)
{
	struct thread_context *context;
	struct guard g = guard_enter();

	if (!unspin_is_on)
		return 0;
	/* First wait of a thread whose process already uses sockets: it gets its row. */
	if (stats_has_begun())
		thread_claim();
	guard_leave(g);
	thread_add(TOTAL_WAITS, 1);
	context = thread_self.context;
	if (!context)
		return 0;
	if (unlikely(context->mask.in_force))
		mask_put_back();
	settle_outs(context);
	context->mask.stalls_elsewhere = load_acquire(&mask_stalls_elsewhere);
	return context->clocked_waits || context->mask.out.return_ns || wakeup_wants_enter(&context->wakeup, timeout_ns)
		       ? sys_now() : 0;
}

/* The thread's part of the wake-up probe, where a clock may be needed. WAKEUP_* bits. */
static COLD unsigned probe_wait(uint64_t enter_ns, int64_t timeout_ns, int returned)
{
	struct thread_context *context = thread_self.context;
	struct wait_event event = {
		.timeout_ns = timeout_ns,
		.returned = returned,
		.io_calls = thread_io_calls(),
		.enter_ns = enter_ns,
	};
	unsigned seen;

	if (context->clocked_waits || wakeup_wants_return(timeout_ns, returned))
		event.return_ns = sys_now();
	if (context->clocked_waits) {
		context->clocked_waits--;
		context->wait_enter_ns[thread_total(TOTAL_WAITS) % CLOCKED_WAITS] = event.enter_ns;
		context->wait_return_ns = event.return_ns;
	}
	seen = wakeup_wait(&context->wakeup, &event);
	if (seen & WAKEUP_IDLE)
		thread_add(TOTAL_IDLE_POLLS, 1);
	stretch_note(context, seen, timeout_ns, returned);
	return seen;
}

/* Counts one wait's result, whichever the call. Returns WAKEUP_* bits. */
static inline unsigned book_wait(uint64_t enter_ns, int64_t timeout_ns, int returned,
				 int is_multiplexed)
{
	struct thread_context *context = thread_self.context;

	if (unlikely(!context)) {
		if (returned >= 0)
			thread_add(returned ? TOTAL_WAIT_EVENTS : TOTAL_EMPTY_WAITS,
				   returned ? (uint64_t)returned : 1);
		return returned == 0 ? WAKEUP_EMPTY : 0;
	}
	/* A context is proof of a row. */
	if (likely(returned > 0))
		count_add(&thread_self.row->total[TOTAL_WAIT_EVENTS], (uint64_t)returned);
	else if (returned == 0)
		count_add(&thread_self.row->total[TOTAL_EMPTY_WAITS], 1);
	if (unlikely(!context->role_countdown--)) {
		thread_look_at_role();
		thin_look(context);
		gather_look_now(context);
	}
	if (likely(returned > 0))
		context->multi_events += is_multiplexed ? (uint64_t)returned : 0;
	if (unlikely(returned <= 0 || (context->clocked_waits | context->stretch.idles)))
		return probe_wait(enter_ns, timeout_ns, returned);
	wakeup_had_events(&context->wakeup);
	return 0;
}

/* Nothing to book. A thread with a context is proof of the opposite. */
static inline int is_off(void)
{
	return unlikely(!thread_self.context) && !unspin_is_on;
}

static void note_drained(struct fdrec *rec)
{
	uint64_t now = sys_now(), drain;
	struct socket_row *row;

	if (!fdrec_try_lock(rec))
		return;
	drain = spin_writable(&rec->spin, now);
	/* While the lock is held: then the record may be another socket's, without a class. */
	if (drain && rec->class_slot)
		class_drained(&rec->class_slot->memory, drain);
	row = rec->socket;
	fdrec_unlock(rec);
	if (!drain)
		return;
	thread_add(TOTAL_DRAIN_NS, drain);
	thread_add(TOTAL_DRAINS, 1);
	if (drain > load_relaxed(&row->drain_ns_max))
		store_relaxed(&row->drain_ns_max, drain);
}

/* An event remembered until the thread's next wait settles it. */
static void note(struct fdrec *rec, int epfd)
{
	struct thread_context *context = thread_self.context;
	uint32_t n;

	if (!context)
		return;
	n = load_relaxed(&context->outs); /* once: a handler's waits change it */
	if (n >= THREAD_OUT_MAX)
		return;
	context->out[n].rec = rec;
	context->out[n].epfd = epfd;
	store_relaxed(&context->outs, n + 1);
}

/* A writable event (alone). An edge is not repeated: unused, it costs nothing more, and there is
 * nothing to mask. */
static COLD void note_out(struct fdrec *rec, int epfd)
{
	if (epfd < 0 || !(load_relaxed(&rec->epoll_mask) & EPOLLET))
		note(rec, epfd);
}

/* One event of a wait. The bits of poll and epoll have the same values on Linux. */
static __attribute__((noinline)) void deliver_any(struct fdrec *rec, int epfd, uint32_t mask)
{
	uint32_t tag = load_relaxed(&rec->tag), pending;

	if (tag != fd_tags.quiet) {
		enum fd_kind kind = (enum fd_kind)(tag & 15);

		if (!fdrec_is_current(rec) || (kind != FD_STALLED && kind != FD_LISTENER))
			return;
		if (kind == FD_STALLED && (mask & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			note_drained(rec);
		if (kind == FD_LISTENER && epfd >= 0 && exclusive_is_on &&
		    exclusive_delivered(epfd, rec))
			note(rec, epfd);
	}
	pending = ready_from_mask(mask) | (epfd < 0 ? READY_BY_POLL : 0);
	store_relaxed(&rec->pending, pending);
	if (unlikely(pending & READY_OUT))
		note_out(rec, epfd);
}

/* The same of a set; data to read on a quiet socket is nearly always what it is. */
static inline void deliver(struct fdrec *rec, int epfd, uint32_t mask)
{
	if (likely(load_relaxed(&rec->tag) == fd_tags.quiet) && likely(mask == EPOLLIN))
		store_relaxed(&rec->pending, READY_IN);
	else
		deliver_any(rec, epfd, mask);
}

/* The same by number, for poll and select. */
static void deliver_fd(int fd, uint32_t mask)
{
	struct fdrec *rec = fdtable_find(fd);

	if (rec)
		deliver_any(rec, -1, mask);
}

static COLD void note_idle_poll(struct epoll_row *row, const void *site)
{
	count_add(&row->idle_polls, 1);
	waste_add(site, idle_polls, 1);
	waste_of_set(row, site);
}

void wait_return_epoll(uint64_t enter_ns, int64_t timeout_ns, int epfd,
		       const struct epoll_event *events, int returned, const void *site)
{
	struct thread_context *context = thread_self.context;
	struct epoll_row *row;
	uint32_t kinds = 0;
	unsigned seen;

	if (is_off())
		return;
	seen = book_wait(enter_ns, timeout_ns, returned, 1);
	if (unlikely(!stats_has_begun())) /* no socket has been seen in this process yet */
		return;
	row = epoll_row_of(epfd);
	count_add(&row->waits, 1);
	if (unlikely(returned <= 0)) {
		count_add(&row->empty_waits, (seen & WAKEUP_EMPTY) != 0);
		if (unlikely(seen & WAKEUP_IDLE))
			note_idle_poll(row, site);
		goto out;
	}
	count_add(&row->wait_events, (uint64_t)returned);
	for (int i = 0; i < returned; i++) {
		struct fdrec *rec = epoll_map_find(epfd, events[i].data.u64);

		if (unlikely(!rec) && exclusive_is_on)
			rec = exclusive_find(epfd, events[i].data.u64);
		kinds |= events[i].events;
		if (likely(rec != NULL))
			deliver(rec, epfd, events[i].events);
		else
			epoll_set_unknown(epfd, events[i].data.u64);
	}
	if (likely(!idle_out_is_alone(kinds)) && likely(context))
		thin_note(context, row, site, returned);
out:
	/* After one of EPOLLOUT alone the clock is asked: no other wait need be looked at. */
	if (unlikely(idle_out_is_alone(kinds)) || unlikely(enter_ns))
		mask_returned(epfd, row, enter_ns, kinds, events, returned, site);
}

void wait_return_poll(uint64_t enter_ns, int64_t timeout_ns, const struct pollfd *fds, nfds_t n,
		      int returned, const void *site)
{
	int left = returned;

	if (is_off())
		return;
	if (unlikely(book_wait(enter_ns, timeout_ns, returned, n > 1) & WAKEUP_IDLE))
		waste_add(site, idle_polls, 1);
	for (nfds_t i = 0; left > 0 && i < n; i++) {
		if (!fds[i].revents)
			continue;
		left--;
		deliver_fd(fds[i].fd, (uint32_t)(unsigned short)fds[i].revents);
	}
}

void wait_return_select(uint64_t enter_ns, int64_t timeout_ns, int n, const fd_set *in,
			const fd_set *out, int returned, const void *site)
{
	int left = returned;

	if (is_off())
		return;
	if (unlikely(book_wait(enter_ns, timeout_ns, returned, n > 1) & WAKEUP_IDLE))
		waste_add(site, idle_polls, 1);
	/* Not FD_ISSET: hosts with more than 1024 descriptors pass larger sets of their own. */
	for (int fd = 0; left > 0 && fd < n; fd++) {
		unsigned long bit = 1ul << (fd % (8 * (int)sizeof(long)));
		size_t word = (size_t)fd / (8 * sizeof(long));
		uint32_t mask = 0;

		if (in && ((const unsigned long *)in)[word] & bit)
			mask |= EPOLLIN;
		if (out && ((const unsigned long *)out)[word] & bit)
			mask |= EPOLLOUT;
		if (!mask)
			continue;
		left -= (mask & EPOLLIN ? 1 : 0) + (mask & EPOLLOUT ? 1 : 0);
		deliver_fd(fd, mask);
	}
}
