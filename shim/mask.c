/* SPDX-License-Identifier: MIT */
#include "mask.h"

#include "epoll_map.h"
#include "epoll_set.h"
#include "guard.h"
#include "polled.h"
#include "sys.h"
#include "waste.h"
#include "watch.h"

#include <poll.h>

int mask_is_on;

static uint32_t max_us; /* 0: off */
static int is_forced;
static uint8_t is_refused; /* a filter forbids what we need: off for the life of the process */

/* How many of a set's sockets may be masked: a wait is not worth more than 2 x 64 system calls. */
#define HOLD_MAX 64

/* The kernel's time per event of a full set; an answer that took longer had to be waited for. */
#define EVENT_NS 1000

/* A file that is polled is not released: its FIN would wait for the end, and may 5 ms. */
#define POLLED_US 4000

/* Once waits have their full length, every so often is asked whether something was sent unseen. */
#define SENT_EVERY 16

void mask_configure(const struct config *config)
{
	uint64_t wake = config->value[CONFIG_wake];

	is_forced = (wake & WAKE_MASK) != 0;
	mask_is_on = config->value[CONFIG_mode] == MODE_ADAPT && (wake & (WAKE_AUTO | WAKE_MASK));
	if (mask_is_on)
		max_us = (uint32_t)config->value[CONFIG_stretch_max_us];
}

/* ---- what the host's other calls do first ------------------------------------------------ */

static uint32_t restore(struct masked_which which)
{
	struct guard g = guard_enter();
	uint32_t count = masked_restore(which);

	guard_leave(g);
	return count;
}

COLD void mask_restore_fd(int fd)
{
	restore((struct masked_which){ .fd = fd, .epfd = -1 });
}

COLD void mask_closing(int fd)
{
	restore((struct masked_which){ .fd = fd, .epfd = fd });
}

COLD void mask_stalled_slow(const struct fdrec *rec)
{
	uint64_t cookie = load_relaxed(&rec->cookie);

	if (cookie)
		restore((struct masked_which){ .fd = -1, .epfd = -1, .cookie = cookie });
}

COLD void mask_before_wait_slow(int epfd)
{
	struct fdrec *set = fdtable_find_set(epfd);

	/* A number we know nothing of may be another of any set (dup). */
	if (restore((struct masked_which){ .fd = -1, .epfd = epfd, .is_all = !set }) && set &&
	    load_relaxed(&set->user) != thread_self.id)
		store_relaxed(&set->is_shared_set, 1);
}

COLD int mask_put_back(void)
{
	struct thread_context *context = thread_self.context;
	struct masked_which mine = { .fd = -1, .epfd = -1, .thread = thread_self.id };
	int is_all = restore(mine) == context->mask.in_force;

	context->mask.in_force = 0;
	return is_all;
}

/* ---- the wait itself --------------------------------------------------------------------- */

/* Only a set that this process made since it last forked, for which this thread alone waits. */
static int may_treat(int epfd)
{
	const struct fdrec *set = fdtable_find_set(epfd);

	return set && load_relaxed(&set->user) == thread_self.id && !load_relaxed(&set->is_shared_set) &&
	       !epoll_set_is_foreign(epfd) &&
	       load_relaxed(&set->forks) == load_relaxed(&mask_forks) && !load_relaxed(&is_refused);
}

enum put { PUT_NOT, PUT_ON, PUT_OTHER };

/* Masks what one answer says. 0 or -errno; what was done till then stays. Lock held. */
static int put_on_all(const struct mask_wait *w, int n)
{
	int r = 0;

	for (int i = 0; i < n; i++)
		if (!idle_out_is_alone(w->events[i].events))
			return -EAGAIN;
	for (int i = 0; i < n && r >= 0; i++) {
		r = masked_add(w->epfd, w->events[i].data.u64);
		if (sys_is_refusal(r))
			stats_refused(&is_refused);
		thread_self.context->mask.in_force += r >= 0;
		thread_add(TOTAL_MASKS, r >= 0);
	}
	return r;
}

/*
 * An array that is full may not have been all. The next look takes it in turn, since the kernel
 * puts level-triggered entries at the end of its list. What a look finds that is no EPOLLOUT alone
 * is the host's answer: it may have been an edge. Lock held.
 */
static enum put put_on(const struct mask_wait *w, int *returned)
{
	int n = *returned, sum = n;

	while (sum <= HOLD_MAX && put_on_all(w, n) >= 0) {
		if (n == w->max)
			n = (int)sys_call(SYS_epoll_pwait, w->epfd, w->events, w->max, 0, NULL, 8);
		else
			n = 0;
		if (n <= 0)
			return PUT_ON;
		sum += n;
	}
	if (sum == n)
		return PUT_NOT; /* the host's array is as its own call left it */
	*returned = n;
	return PUT_OTHER;
}

/* Bytes were sent since the thread's last treated wait, says the kernel; we saw no write. */
static int was_used_unseen(struct thread_context *context, const struct mask_wait *w, int polled)
{
	uint64_t before = context->mask.sent;

	if (before && context->mask.wake.hold.us == max_us && context->mask.looks++ % SENT_EVERY)
		return 0;
	context->mask.sent = polled ? polled_sent(w, polled) : masked_sent(thread_self.id);
	if (!context->mask.sent)
		stats_refused(&is_refused);
	return !context->mask.sent || (before && before != context->mask.sent);
}

static void note_verdict(struct thread_context *context, int epfd, int is_treated)
{
	if (context->mask.is_noted == is_treated)
		return;
	context->mask.is_noted = is_treated;
	stats_decision(&stats_socket_sink, epfd, is_treated ? STRATEGY_MASK : STRATEGY_NONE,
		       is_treated ? REASON_MASK_UNUSED : REASON_MASK_NO_GAIN, 0, 0);
}

/* What this thread has cost so far: by the wall clock, neighbours' work would count as ours. */
static uint64_t cpu_ns(void)
{
	struct timespec t = { 0, 0 };

	sys_call(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t, 0, 0, 0, 0);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nothing of these speaks of EPOLLOUT now: waits. Returns when it ended; *ret: as ppoll. */
static uint64_t wait_masked(const struct mask_wait *w, struct thread_context *context,
			    struct polled *polled, uint64_t began, long *ret)
{
	int is_polled = polled->fds[0].fd != w->epfd;
	uint32_t us = context->mask.wake.hold.us;
	struct timespec t = { 0, (long)(is_polled && us > POLLED_US ? POLLED_US : us) * 1000 };
	struct fdrec *rec;
	uint64_t now;
	long r;

	if (w->timeout_ns > 0 && w->timeout_ns < t.tv_nsec)
		t.tv_nsec = (long)w->timeout_ns;
	r = sys_call(SYS_ppoll, polled->fds, polled->count, &t, w->signals, 8, 0);
	now = sys_now();
	rec = fdtable_find_set(w->epfd);
	if (sys_is_refusal(r))
		stats_refused(&is_refused);
	if (r == -EINTR)
		wake_mask_break(&context->mask.wake); /* its handler may have left work */
	thread_add(TOTAL_MASKED_WAITS, 1);
	thread_add(TOTAL_MASKED_NS, now - began);
	if (rec) /* or another thread has closed it */
		count_add(&rec->epoll->masked_waits, 1);
	*ret = r;
	return now;
}

/*
 * Takes what the answer says out of the wait to come: *ret_polled is what to wait for. By the
 * members' own numbers where the set is known; else by the set, with EPOLLOUT out of the
 * registrations. *ret_is_masked: those are to be put back.
 */
static enum put take_out(const struct mask_wait *w, int *returned, struct polled *ret_polled,
			 int *ret_is_masked)
{
	uint64_t signals;
	enum put put;

	*ret_is_masked = !polled_collect(ret_polled, w, *returned);
	if (!*ret_is_masked)
		return *returned <= HOLD_MAX ? PUT_ON : PUT_NOT;
	ret_polled->count = 1;
	ret_polled->fds[0] = (struct pollfd){ .fd = w->epfd, .events = POLLIN };
	/* No handler runs before all is done: it may jump out, and in_force must be right. */
	if (!watch_lock(&signals, 0))
		return PUT_NOT;
	put = put_on(w, returned);
	watch_unlock(signals);
	return put;
}

static int hold(const struct mask_wait *w, int *returned)
{
	struct thread_context *context = thread_self.context;
	uint64_t began = sys_now(), masked, woken, cpu;
	int n = *returned, is_masked, is_intact = 1;
	struct polled polled;
	enum put put;
	long r = 0;

	/* The thread has done something meanwhile; or these events had to be waited for: they are
	 * news. */
	if (idle_out_before(&context->mask.out, w->epfd, thread_io_calls(), w->enter_ns) !=
		    IDLE_OUT_UNUSED ||
	    began - w->enter_ns >= WAKEUP_PAUSE_NS + (uint64_t)n * EVENT_NS ||
	    !may_treat(w->epfd))
		return 0;
	cpu = cpu_ns();
	put = take_out(w, returned, &polled, &is_masked);
	masked = woken = sys_now();
	if (put == PUT_ON && !was_used_unseen(context, w, is_masked ? 0 : n)) {
		note_verdict(context, w->epfd, 1);
		woken = wait_masked(w, context, &polled, masked, &r);
		thread_add(TOTAL_POLLED_WAITS, !is_masked);
	} else {
		wake_mask_wait(&context->mask.wake, WAKE_POLL_WORK, 0, max_us);
	}
	/* Another thread has needed a registration: leave them alone for some rounds. */
	if (is_masked && !mask_put_back()) {
		is_intact = 0;
		wake_mask_break(&context->mask.wake);
	}
	if (!is_masked && r > 0 && polled_is_told(&polled))
		context->mask.told_max = w->max;
	/* Another thread has changed the set, and may free what its events point to. */
	if (!is_masked && polled_is_doubtful(fdtable_find_set(w->epfd)))
		is_intact = 0;
	context->mask.cpu_ns = cpu_ns();
	if (wake_mask_paid(&context->mask.wake, context->mask.cpu_ns - cpu, woken - masked,
			   is_forced))
		note_verdict(context, w->epfd, 0);
	/* Nothing has come and nothing was changed: what the host's call said is still so, as after
	 * a preemption on its way back. Of a full array masked, the look has taken the place. */
	if (!r && is_intact && (!is_masked || n < w->max))
		return 0;
	return put == PUT_ON;
}

COLD int mask_hold(const struct mask_wait *w, int *returned)
{
	struct guard g = guard_enter();
	int is_owed = !guard_is_cancelled_anywhere(g) && hold(w, returned);

	guard_leave(g);
	return is_owed;
}

int64_t mask_left_ns(const struct mask_wait *w)
{
	int64_t passed = (int64_t)(sys_now() - w->enter_ns);

	if (w->timeout_ns < 0)
		return -1;
	return w->timeout_ns > passed ? w->timeout_ns - passed : 0;
}

/* EPOLLOUT alone, of registrations that say so again at the next wait: no edge, not once. */
static int is_plain_out(int epfd, uint32_t kinds, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n && idle_out_is_alone(kinds); i++) {
		const struct fdrec *rec = epoll_map_find(epfd, events[i].data.u64);

		if (!rec || !wake_may_be_masked(load_relaxed(&rec->epoll_mask)))
			return 0;
	}
	return idle_out_is_alone(kinds);
}

/*
 * After a treated wait: a thread that was only slow, because it was preempted or waited for an
 * interpreter's lock, has done nothing. Its CPU time tells, which is not worth asking for before.
 */
static int was_only_slow(struct thread_context *context, uint64_t io_calls)
{
	uint64_t before = context->mask.cpu_ns;

	context->mask.cpu_ns = 0;
	return before && context->mask.out.io_calls == io_calls &&
	       cpu_ns() - before <
		       2 * context->mask.out.pause_ns; /* two returns of waits are in it */
}

COLD void mask_returned(int epfd, struct epoll_row *row, uint64_t enter_ns, uint32_t kinds,
			const struct epoll_event *events, int returned, const void *site)
{
	struct thread_context *context = thread_self.context;
	struct fdrec *set = fdtable_find_set(epfd);
	uint64_t io_calls = thread_io_calls();
	enum idle_out_before before;
	int is_alone;

	if (!context || (!idle_out_is_alone(kinds) && !context->mask.out.return_ns))
		return;
	is_alone = is_plain_out(epfd, kinds, events, returned);
	/* poll() found something and the set says nothing of it: another socket has the number. */
	if (context->mask.told_max > returned && is_alone)
		polled_doubt(set);
	context->mask.told_max = 0;
	before = idle_out_before(&context->mask.out, epfd, io_calls, enter_ns);
	if (before == IDLE_OUT_USED && context->mask.wake.hold.us &&
	    was_only_slow(context, io_calls))
		before = IDLE_OUT_UNUSED;
	if (before == IDLE_OUT_UNUSED) {
		count_add(&row->idle_outs, 1);
		waste_add(context->mask.site, idle_outs, 1);
		waste_of_set(row, context->mask.site);
	}
	context->mask.site = site;
	if (before == IDLE_OUT_USED)
		wake_mask_wait(&context->mask.wake, WAKE_POLL_WORK, (unsigned)returned, max_us);
	else if (!is_alone)
		wake_mask_wait(&context->mask.wake, WAKE_POLL_EVENTS, (unsigned)returned, max_us);
	else if (before == IDLE_OUT_UNUSED)
		wake_mask_wait(&context->mask.wake, WAKE_POLL_IDLE, (unsigned)returned, max_us);
	else
		wake_mask_break(&context->mask.wake);
	if (!context->mask.wake.hold.us)
		context->mask.sent = 0;
	idle_out_returned(&context->mask.out, epfd, is_alone ? (unsigned)returned : 0, io_calls,
			  is_alone ? sys_now() : 0);
	/* More than one waits for it: from then on it is left alone. */
	if (set && load_relaxed(&set->user) != thread_self.id) {
		if (load_relaxed(&set->user) != FD_NO_USER)
			store_relaxed(&set->is_shared_set, 1);
		store_relaxed(&set->user, thread_self.id);
	}
}
