/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include "stats_file.h"
#include "sys.h"

#include <sys/socket.h>

struct stats stats;
struct socket_row stats_socket_sink;
struct epoll_row stats_epoll_sink;
uint64_t stats_early[TOTAL_COUNT];

/* Rows looked at before giving up: enough to pass the long-lived ones in between. */
#define CLAIM_PROBES 32

/*
 * Takes a row that is free or was closed, starting at the cursor, which goes round: so closed
 * rows live as long as possible. The state word is the lock: FREE/CLOSED -> CLAIMED by CAS.
 */
static void *claim(void *rows, const struct section *section, uint32_t *cursor)
{
	uint32_t probes = section->count < CLAIM_PROBES ? section->count : CLAIM_PROBES;

	for (; probes; probes--) {
		uint32_t n = (add_relaxed(cursor, 1) - 1) % section->count;
		uint32_t *state = (uint32_t *)((char *)rows + (size_t)n * section->stride);
		uint32_t seen = load_relaxed(state);

		if ((seen == ROW_FREE || seen == ROW_CLOSED) &&
		    cas_acq_rel(state, &seen, ROW_CLAIMED))
			return state;
	}
	return NULL;
}

/* Clears all but state and turn, which every row begins with, and counts the turn. */
static void wipe(void *row, size_t bytes)
{
	uint32_t *words = row;

	store_relaxed(&words[1], words[1] + 1);
	clear_relaxed(words + 2, (char *)row + bytes);
}

/* Of a row that nobody else will touch: readers skip it, so nothing is counted twice. */
static void give_back(struct thread_row *row)
{
	for (unsigned t = 0; t < TOTAL_COUNT; t++)
		stats_departed_add((enum total)t, load_relaxed(&row->total[t]));
	wipe(row, sizeof(*row));
	store_release(&row->state, ROW_FREE);
}

/* Threads that ended out of our sight (raw clone, _exit of a thread) leave their rows behind. */
static int free_the_dead(uint32_t count)
{
	int pid = stats.header->pid, has_freed = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct thread_row *row = &stats.threads[i];
		uint32_t seen = load_acquire(&row->state); /* and the tid with it */

		if (seen != ROW_OPEN || sys_call(SYS_tgkill, pid, row->tid, 0, 0, 0, 0) != -ESRCH ||
		    !cas_acq_rel(&row->state, &seen, ROW_CLAIMED))
			continue;
		give_back(row);
		has_freed = 1;
	}
	return has_freed;
}

/*
 * One system call per row: where all live, only every so many threads that find no row look, so
 * that each pays for one. (4096 threads, 256 rows: a million calls as they started.)
 */
static int may_free_the_dead(uint32_t count)
{
	static uint32_t refused;

	if ((add_relaxed(&refused, 1) - 1) % count || !free_the_dead(count))
		return 0;
	store_relaxed(&refused, 0);
	return 1;
}

struct thread_row *stats_claim_thread(int tid)
{
	struct stats_header *h = stats.header;
	const struct section *section = &h->section[SECTION_THREADS];
	struct thread_row *row = claim(stats.threads, section, &h->next_thread);

	if (!row && may_free_the_dead(section->count))
		for (uint32_t n = 0; !row && n <= section->count / CLAIM_PROBES; n++)
			row = claim(stats.threads, section, &h->next_thread);
	if (!row) {
		stats_global_add(GLOBAL_THREADS_UNTRACKED, 1);
		return NULL;
	}
	wipe(row, sizeof(*row));
	row->tid = tid;
	sys_call(SYS_prctl, 16 /* PR_GET_NAME */, row->name, 0, 0, 0, 0);
	store_release(&row->state, ROW_OPEN);
	return row;
}

void stats_release_thread(struct thread_row *row)
{
	store_release(&row->state, ROW_CLAIMED);
	give_back(row);
}

struct socket_row *stats_claim_socket(int fd, int *ret_is_own)
{
	struct stats_header *h = stats.header;
	struct socket_row *row = NULL;

	if (h)
		row = claim(stats.sockets, &h->section[SECTION_SOCKETS], &h->next_socket);
	*ret_is_own = row != NULL;
	stats_global_add(GLOBAL_SOCKETS_OPENED, 1);
	if (!row) {
		stats_global_add(GLOBAL_SOCKETS_UNTRACKED, 1);
		return &stats_socket_sink;
	}
	wipe(row, sizeof(*row));
	row->fd = fd;
	row->opened_ns = sys_now();
	store_release(&row->state, ROW_OPEN);
	return row;
}

void stats_close_socket(struct socket_row *row)
{
	row->closed_ns = sys_now();
	store_release(&row->state, ROW_CLOSED);
}

struct epoll_row *stats_claim_epoll(int epfd)
{
	struct stats_header *h = stats.header;
	struct epoll_row *row = NULL;
	uint32_t first = 0;

	if (h)
		row = claim(stats.epolls, &h->section[SECTION_EPOLLS], &first);
	if (!row)
		return &stats_epoll_sink;
	wipe(row, sizeof(*row));
	row->epfd = epfd;
	store_release(&row->state, ROW_OPEN);
	return row;
}

void stats_global_add(enum global id, uint64_t n)
{
	struct stats_header *h = load_acquire(&stats.header);

	if (h)
		add_relaxed(&h->global[id], n);
}

void stats_refused(uint8_t *is_known)
{
	if (!load_relaxed(is_known))
		stats_global_add(GLOBAL_AUX_REFUSED, 1);
	store_relaxed(is_known, 1);
}

void stats_departed_add(enum total id, uint64_t n)
{
	struct stats_header *h = load_acquire(&stats.header);

	if (n)
		add_relaxed(h ? &h->departed[id] : &stats_early[id], n);
}

void stats_decision(const struct socket_row *row, int fd, enum strategy strategy,
		    enum reason reason, uint64_t from_bytes, uint64_t to_bytes)
{
	struct stats_header *h = stats.header;
	struct decision_row *d;
	uint64_t sequence;

	if (!h)
		return;
	sequence = add_relaxed(&h->next_decision, 1);
	d = &stats.decisions[sequence % h->section[SECTION_DECISIONS].count];
	store_release(&d->sequence, 0);
	d->time_ns = sys_now();
	d->fd = fd;
	d->socket = row == &stats_socket_sink ? UINT32_MAX : (uint32_t)(row - stats.sockets);
	d->strategy = strategy;
	d->reason = reason;
	d->from_bytes = from_bytes;
	d->to_bytes = to_bytes;
	store_release(&d->sequence, sequence); /* readers skip 0 and see the whole row or none */
}
