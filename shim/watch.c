/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include "fdtable.h"
#include "stats.h"
#include "sys.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct watch watches[WATCH_COUNT];
uint32_t watch_end;

#define PAGE_BYTES 16384
#define ROW_COUNT  (PAGE_BYTES / sizeof(struct shared_row))

struct shared_row {
	uint64_t cookie; /* 0: free */
	struct wake_listener listener;
};

static struct shared_row *page;
static uint32_t lock;

/*
 * A holder needs a few microseconds, but it may lose the processor: then yielding is over sooner
 * than its next turn comes (seen with two busy threads on two cores), and what follows are short
 * sleeps, 0.15 s in all. Without the lock the host would be told of EPOLLEXCLUSIVE: EINVAL.
 */
#define LOCK_YIELDS   1000
#define LOCK_SLEEPS   1000
#define LOCK_SLEEP_NS 100000

/* Blocked, they would end the process; SIGSYS is what some sandboxes answer calls by. */
#define SYNCHRONOUS                                                                         \
	(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) |              \
	 1ull << (SIGFPE - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGSYS - 1))

int watch_lock(uint64_t *ret_signals, int may_wait)
{
	static uint8_t is_refused;
	uint64_t all = ~SYNCHRONOUS;
	static const struct timespec moment = { 0, LOCK_SLEEP_NS };
	unsigned tries = may_wait ? LOCK_YIELDS + LOCK_SLEEPS : 1;
	uint32_t expected;

	if (sys_call(SYS_rt_sigprocmask, SIG_BLOCK, &all, ret_signals, 8, 0, 0) < 0) {
		stats_refused(&is_refused);
		return 0;
	}
	for (; tries; tries--) {
		expected = 0;
		if (cas_acq_rel(&lock, &expected, 1))
			return 1;
		if (tries > LOCK_SLEEPS)
			sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		else if (tries > 1)
			sys_call(SYS_ppoll, NULL, 0, &moment, NULL, 8, 0);
	}
	sys_call(SYS_rt_sigprocmask, SIG_SETMASK, ret_signals, NULL, 8, 0, 0);
	return 0;
}

void watch_unlock(uint64_t signals)
{
	store_release(&lock, 0);
	sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &signals, NULL, 8, 0, 0);
}

struct watch *watch_find(int epfd, int fd)
{
	uint64_t key = watch_key(epfd, fd);
	uint32_t end = load_relaxed(&watch_end);

	for (uint32_t i = 0; i < end; i++)
		if (load_relaxed(&watches[i].key) == key)
			return &watches[i];
	return NULL;
}

struct watch *watch_own(int fd, uint32_t thread)
{
	uint32_t end = load_relaxed(&watch_end);
	struct watch *found = NULL;

	for (uint32_t i = 0; thread && i < end; i++) {
		struct watch *w = &watches[i];

		if (load_relaxed(&w->thread) == thread && load_relaxed(&w->key) &&
		    watch_fd(w) == fd && (!found || load_relaxed(&w->is_pending)))
			found = w;
	}
	return found;
}

struct watch *watch_of(int epfd, const struct fdrec *rec)
{
	uint32_t end = load_relaxed(&watch_end);

	for (uint32_t i = 0; i < end; i++)
		if (load_relaxed(&watches[i].key) && watch_epfd(&watches[i]) == epfd &&
		    fdtable_find(watch_fd(&watches[i])) == rec)
			return &watches[i];
	return NULL;
}

int watch_fd_of(int epfd, uint64_t data)
{
	uint32_t end = load_relaxed(&watch_end);

	for (uint32_t i = 0; i < end; i++)
		if (load_relaxed(&watches[i].key) && watch_epfd(&watches[i]) == epfd &&
		    load_relaxed(&watches[i].data) == data)
			return watch_fd(&watches[i]);
	return -1;
}

long watch_ring(int fd)
{
	return sys_call(SYS_shutdown, fd, SHUT_WR, 0, 0, 0, 0);
}

long watch_ring_if_waiting(const struct watch *w)
{
	struct pollfd in = { .fd = watch_fd(w), .events = POLLIN };
	struct timespec none = { 0, 0 };
	long r;

	/* Not told (a filter, RLIMIT_NOFILE of 0): better woken for nothing than left waiting. */
	if (sys_call(SYS_ppoll, &in, 1, &none, NULL, 8, 0) == 0 || sys_cookie(in.fd) != w->cookie)
		return 0;
	r = watch_ring(in.fd);
	return r < 0 ? r : 1;
}

void watch_begin(void)
{
	struct shared_row *expected = NULL;
	long mapped;

	if (load_acquire(&page))
		return;
	mapped = sys_call(SYS_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mapped < 0 && mapped > -4096)
		return;
	if (!cas_acq_rel(&page, &expected, (struct shared_row *)mapped))
		sys_call(SYS_munmap, mapped, PAGE_BYTES, 0, 0, 0, 0);
}

/* The listener's row; a free one, or one that nobody watches any more, becomes it. */
static struct wake_listener *shared_row(uint64_t cookie)
{
	struct shared_row *rows;

	watch_begin();
	rows = load_acquire(&page);
	for (unsigned i = 0; rows && i < ROW_COUNT; i++)
		if (load_acquire(&rows[i].cookie) == cookie)
			return &rows[i].listener;
	for (unsigned i = 0; rows && i < 2 * ROW_COUNT; i++) {
		struct shared_row *row = &rows[i % ROW_COUNT];
		uint64_t there = load_acquire(&row->cookie);

		/* Free rows in the first round: an unwatched listener's past is worth keeping. */
		if (there && (i < ROW_COUNT || load_relaxed(&row->listener.watchers)))
			continue;
		if (!cas_acq_rel(&row->cookie, &there, cookie))
			continue;
		memset(&row->listener, 0, sizeof(row->listener));
		return &row->listener;
	}
	return NULL;
}

/* Another number of the same listener in the same set wakes the same thread: no second watcher. */
static int is_twice(int epfd, uint64_t cookie, const struct watch *self)
{
	for (uint32_t i = 0; i < watch_end; i++)
		if (&watches[i] != self && watches[i].key && watch_epfd(&watches[i]) == epfd &&
		    watches[i].cookie == cookie)
			return 1;
	return 0;
}

/*
 * One by one, and never the listener, which is not NULL again once it was set: a thread may be
 * looking at what was registered here before.
 */
static void wipe(struct watch *w)
{
	store_relaxed(&w->data, 0);
	store_relaxed(&w->seat, NULL);
	store_relaxed(&w->mask, 0);
	store_relaxed(&w->thread, 0);
	store_relaxed(&w->turn.open, 0);
	store_relaxed(&w->turn.taken, 0);
	store_relaxed(&w->turn.turns, 0);
	store_relaxed(&w->events, 0);
	store_relaxed(&w->sleeps, 0);
	store_relaxed(&w->waits, 0);
	store_relaxed(&w->is_pending, 0);
	store_relaxed(&w->is_exclusive, 0);
	store_relaxed(&w->is_waited, 0);
	store_relaxed(&w->is_inherited, 0);
	w->cookie = 0;
	w->is_hosts = 0;
}

struct watch *watch_add(int epfd, int fd, uint64_t cookie)
{
	struct watch *w = watch_find(epfd, fd);
	struct wake_listener *listener;
	uint32_t i = 0;

	watch_drop(w);
	listener = shared_row(cookie);
	while (i < WATCH_COUNT && watches[i].key)
		i++;
	if (!listener || i == WATCH_COUNT)
		return NULL;
	w = &watches[i];
	wipe(w);
	w->cookie = cookie;
	store_relaxed(&w->listener, listener);
	w->is_counted = !is_twice(epfd, cookie, w);
	store_relaxed(&w->is_left, !w->is_counted);
	if (w->is_counted)
		add_relaxed(&listener->watchers, 1);
	store_release(&w->key, watch_key(epfd, fd));
	if (i >= watch_end)
		store_release(&watch_end, i + 1);
	return w;
}

void watch_sit_down(struct watch *w)
{
	uint32_t pid = (uint32_t)sys_getpid(), tid = (uint32_t)sys_gettid();
	struct wake_listener *listener = load_relaxed(&w->listener);
	struct wake_watcher *seat = load_relaxed(&w->seat);

	for (unsigned i = 0; !seat && i < WAKE_WATCHERS; i++) {
		uint32_t nobody = 0;

		if (cas_acq_rel(&listener->watcher[i].pid, &nobody, pid))
			seat = &listener->watcher[i];
	}
	if (!seat)
		return;
	store_relaxed(&w->seat, seat);
	store_relaxed(&seat->tid, tid);
	store_relaxed(&seat->cpu_then_ns, 0); /* what it used before is not asked about */
}

uint64_t watch_others_vain(const struct watch *w)
{
	struct wake_listener *listener = load_relaxed(&w->listener);
	uint64_t useful = load_relaxed(&listener->useful), vain = 0;
	uint32_t self = (uint32_t)sys_getpid();

	for (unsigned i = 0; i < WAKE_WATCHERS; i++) {
		struct wake_watcher *other = &listener->watcher[i];
		uint32_t pid = load_relaxed(&other->pid);
		uint64_t cpu_ns;

		if (!pid || other == load_relaxed(&w->seat))
			continue;
		cpu_ns = sys_cpu_of((int)pid, pid == self ? (int)load_relaxed(&other->tid) : 0);
		if (cpu_ns)
			vain += wake_watcher_vain(other, useful, cpu_ns);
		else
			store_relaxed(&other->pid, 0); /* it has ended */
	}
	return vain;
}

void watch_drop(struct watch *w)
{
	struct wake_watcher *seat = w ? load_relaxed(&w->seat) : NULL;

	if (!w)
		return;
	if (seat)
		store_relaxed(&seat->pid, 0);
	store_relaxed(&w->seat, NULL);
	if (w->is_counted && load_relaxed(&w->listener->watchers))
		add_relaxed(&w->listener->watchers, -1);
	store_relaxed(&w->thread, 0);
	store_release(&w->key, 0);
}

void watch_begin_child(void)
{
	lock = 0; /* of a thread that stayed behind */
	for (uint32_t i = 0; i < watch_end; i++) {
		watches[i].is_inherited = 1;
		watches[i].is_counted = 0;
		watches[i].is_pending = 0;
		watches[i].thread = 0;
		watches[i].seat = NULL; /* the parent's */
	}
}
