/* SPDX-License-Identifier: MIT */
/*
 * The writer of the statistics file: makes it, hands out rows, takes them back.
 *
 * The region begins with the process's first socket, not with its start: shells and helpers
 * under the preload leave no file. A fork child of a process that has one gets its own at once
 * (in the atfork handler, so before it drops privileges or changes its root), mapped over the
 * parent's at the same address, so that every pointer stays valid.
 *
 * When no file can be made (read-only or full file system, RLIMIT_FSIZE, no permission) the same
 * layout lives in private memory: the hot path never asks which.
 */
#ifndef UNSPIN_STATS_H
#define UNSPIN_STATS_H

#include "atomic.h"
#include "config.h"
#include "stats_layout.h"

struct stats {
	struct stats_header *header; /* NULL until the region has begun */
	struct thread_row *threads;
	struct socket_row *sockets;
	struct epoll_row *epolls;
	struct decision_row *decisions;
	struct class_row *classes;
};

extern HIDDEN struct stats stats;

/* The row of sockets and epoll sets that got none: written, never read. */
extern HIDDEN struct socket_row stats_socket_sink;
extern HIDDEN struct epoll_row stats_epoll_sink;

/* Remembers the settings and where files go. Constructor only; no file is made yet. */
void stats_configure(const struct config *config, char *const *environment);

/*
 * Makes sure the region exists; 1 when it does. 0: another thread is making it right now, or
 * there is no memory. Lock-free; keeps no descriptor.
 */
int stats_begin(void);

static inline int stats_has_begun(void)
{
	return load_acquire(&stats.header) != NULL;
}

/* Fork child, before anything else of ours runs: a region of its own if the parent had one. */
void stats_begin_child(void);

/* A thread row, claimed and zeroed, or NULL when all are taken by living threads. */
struct thread_row *stats_claim_thread(int tid);

/* Adds the row's totals to those of departed threads and frees it. */
void stats_release_thread(struct thread_row *row);

/* Never NULL; *ret_is_own says whether it is a real row. */
struct socket_row *stats_claim_socket(int fd, int *ret_is_own);
void stats_close_socket(struct socket_row *row);
struct epoll_row *stats_claim_epoll(int epfd);

/* What was counted before the region: servers often start their pool, and wait, first. */
extern HIDDEN uint64_t stats_early[TOTAL_COUNT];

/* Locked add to a process-wide cell: cold paths only. No-op before the region exists. */
void stats_global_add(enum global id, uint64_t n);

/* An auxiliary system call was refused: counted the first time, which *is_known remembers. */
void stats_refused(uint8_t *is_known);

/* Adds to the totals on behalf of a thread without a row. */
void stats_departed_add(enum total id, uint64_t n);

/* Appends to the ring of decisions. */
void stats_decision(const struct socket_row *row, int fd, enum strategy strategy,
		    enum reason reason, uint64_t from_bytes, uint64_t to_bytes);

#endif
