/* SPDX-License-Identifier: MIT */
/*
 * The calling thread: its row in the statistics and its private wake-up state.
 *
 * A thread gets its row with its first socket call. It gives it back when it ends, seen by the
 * wrapper round its start routine; rows of threads that ended unseen are taken back when rows
 * run out. A thread that found no row counts straight into the totals (locked adds).
 */
#ifndef UNSPIN_THREAD_H
#define UNSPIN_THREAD_H

#include "../policy/gather.h"
#include "../policy/wake.h"
#include "../policy/wake_mask.h"
#include "../probes/idle_out.h"
#include "../probes/thin.h"
#include "../probes/wakeup.h"
#include "atomic.h"
#include "stats.h"

/* Writable events handed out by the thread's last wait, to be settled at its next. */
#define THREAD_OUT_MAX 64

/* Waits after a stall whose times are taken, to learn what a trip costs. */
#define CLOCKED_WAITS 16

/* Sets and call sites whose thin waits are told apart in one window, and one for the rest. */
#define THIN_PLACES 5

struct thin_place {
	struct epoll_row *row; /* NULL: free */
	const void *site;
	uint64_t waits; /* in this window, that brought few events */
	uint32_t turn;	/* of the row */
};

struct fdrec;

/* Private, one per thread row, in memory of its own: nothing of it is on the thread's stack. */
struct thread_context {
	struct wakeup_state wakeup;
	uint64_t wait_enter_ns[CLOCKED_WAITS]; /* of clocked waits, by the wait's number */
	uint64_t wait_return_ns;	       /* of the last clocked one */
	struct wake_stretch stretch;
	struct gather gather;
	struct { /* of mask.h */
		struct idle_out out;
		struct wake_mask wake;
		uint64_t cpu_ns;   /* its CPU time at the end of the last treated wait; 0: asked */
		uint64_t sent;	   /* masked_sent() at the run's last look; 0: none */
		uint32_t looks;
		uint32_t in_force; /* registrations masked: it is inside a treated wait, or has left it by a jump */
		const void *site;  /* where the wait before was called */
		int told_max;	   /* a polled wait ended; the set has to tell of it in so many events */
		int is_noted;	   /* the statistics say that it is treated */
		uint32_t stalls_elsewhere; /* when the wait began */
	} mask;
	struct { /* of waste.h */
		struct thin_place place[THIN_PLACES];
		struct thin_place *now; /* of the latest wait that brought few; never NULL */
		struct thin_facts from;
	} thin;
	uint32_t clocked_waits; /* how many more waits to take the time of: set at a stall */
	uint32_t outs;
	uint32_t spin_score;	/* episodes since the thread last yielded after a stall */
	uint32_t accepted;	/* connections it has accepted and not closed: of exclusive.h */
	uint32_t has_yielded;	/* it has waited after a stall and come back, some time */
	struct fdrec *entered;	/* entry_begin(): the outermost call at work; NULL: none */
	uint64_t blocked_ns, blocked_turn; /* waited inside calls in the turn that began at wait no. */
	uint64_t multi_events;	/* events of waits on more than one descriptor */
	uint32_t role_countdown; /* waits and slow-path calls until the role is inferred again */
	struct {
		struct fdrec *rec;
		int epfd; /* -1: by poll or select */
	} out[THREAD_OUT_MAX];
};

/*
 * Thread-local: 24 bytes, 8 below, and 72 in fdlock.c, of the initial-exec TLS block (a preload may
 * use under 256).
 */
struct thread_self {
	struct thread_row *row;		/* NULL: none yet, or none free */
	struct thread_context *context; /* NULL exactly when row is */
	uint32_t id;			/* never the same for two threads; 0 while it has no row */
	uint32_t has_no_row;		/* asked and refused: do not ask at every call */
};

extern HIDDEN __thread struct thread_self thread_self __attribute__((tls_model("initial-exec")));

/*
 * What fdrec.users is where this thread is both user and writer: its id twice. A variable of its
 * own, or compilers keep the other's address in a register across the host's call: 4 instructions.
 */
extern HIDDEN __thread uint64_t thread_ids __attribute__((tls_model("initial-exec")));

/* Makes sure the thread has an id, and a row if there is one. Keeps errno. */
void thread_claim(void);

/* This thread has started another with pthread_create. Keeps errno. */
void thread_started(void);

/* This thread ends: takes its row back. Keeps errno. */
void thread_ended(void);

/* Fork child: the surviving thread starts without a row; all other threads are gone. */
void thread_begin_child(void);

/* One more of what this thread has done. Exact also for threads without a row. */
static inline void thread_add(enum total id, uint64_t n)
{
	struct thread_row *row = thread_self.row;

	if (likely(row != NULL))
		count_add(&row->total[id], n);
	else
		stats_departed_add(id, n);
}

static inline uint64_t thread_total(enum total id)
{
	struct thread_row *row = thread_self.row;

	return row ? load_relaxed(&row->total[id]) : 0;
}

static inline uint64_t thread_io_calls(void)
{
	return thread_total(TOTAL_READS) + thread_total(TOTAL_WRITES) + thread_total(TOTAL_ACCEPTS);
}

/* Infers the thread's role anew from its counters, and when to do so next. */
void thread_look_at_role(void);

#endif
