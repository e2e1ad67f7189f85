/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include "../probes/role.h"
#include "fdlock.h"
#include "guard.h"
#include "sys.h"

#include <string.h>
#include <sys/mman.h>

_Static_assert((int)ROLE_IS_REACTOR == (int)ROLE_REACTOR && (int)ROLE_IS_WORKER == (int)ROLE_WORKER &&
		       (int)ROLE_IS_CONNECTION == (int)ROLE_CONNECTION,
	       "probes/role.h and the statistics layout number the roles alike");

__thread struct thread_self thread_self __attribute__((tls_model("initial-exec")));
__thread uint64_t thread_ids __attribute__((tls_model("initial-exec")));

static uint32_t next_id;
static struct thread_context *contexts; /* one per thread row, mapped with the first */

#define ROLE_EVERY 256

static struct thread_context *map_contexts(void)
{
	struct thread_context *have = load_acquire(&contexts), *expected = NULL;
	size_t bytes = stats.header->section[SECTION_THREADS].count * sizeof(*have);
	long mapped;

	if (have)
		return have;
	mapped = sys_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped < 0 && mapped > -4096)
		return NULL;
	if (!cas_acq_rel(&contexts, &expected, (struct thread_context *)mapped)) {
		sys_call(SYS_munmap, mapped, bytes, 0, 0, 0, 0);
		return expected;
	}
	return (struct thread_context *)mapped;
}

void thread_claim(void)
{
	struct thread_context *all;
	struct thread_row *row;

	if (thread_self.row || thread_self.has_no_row || !stats_begin())
		return;
	/* First of all: a signal handler that comes here meanwhile counts without a row. */
	thread_self.has_no_row = 1;
	all = map_contexts();
	row = all ? stats_claim_thread(sys_gettid()) : NULL;
	if (!row)
		return;
	memset(&all[row - stats.threads], 0, sizeof(*all));
	all[row - stats.threads].thin.now = all[row - stats.threads].thin.place;
	/* In this order also for a signal handler that comes in between: a context is proof of a
	 * row (waits), an id of both (the fast path of reads and writes). */
	thread_self.row = row;
	fence_signal();
	thread_self.context = &all[row - stats.threads];
	fence_signal();
	thread_self.id = add_relaxed(&next_id, 1);
	thread_ids = (uint64_t)thread_self.id << 32 | thread_self.id;
}

void thread_started(void)
{
	struct guard g = guard_enter();

	/* Threads of a process without sockets are of no interest: no file is made for them. */
	if (stats_has_begun())
		thread_claim();
	thread_add(TOTAL_THREADS_STARTED, 1);
	guard_leave(g);
}

void thread_ended(void)
{
	struct guard g = guard_enter();
	struct thread_row *row = thread_self.row;

	thread_add(TOTAL_THREADS_ENDED, 1);

	fdlock_release_all(); /* of what a cancellation cut off */
	thread_self.id = 0;
	thread_ids = 0;
	fence_signal();
	thread_self.context = NULL;
	fence_signal();
	thread_self.row = NULL;
	if (row)
		stats_release_thread(row);
	guard_leave(g);
}

void thread_begin_child(void)
{
	memset(&thread_self, 0, sizeof(thread_self));
	thread_ids = 0;
	fdlock_release_all();
}

void thread_look_at_role(void)
{
	struct thread_row *row = thread_self.row;
	struct role_facts facts;

	if (!row)
		return;
	facts = (struct role_facts){
		.io_calls = thread_io_calls(),
		.wait_events = thread_self.context->multi_events,
		.sockets_first = row->sockets_first,
		.sockets_taken = row->sockets_taken,
	};
	store_relaxed(&row->role, (uint32_t)role_of(&facts));
	/* Often at first, when little is known. */
	thread_self.context->role_countdown = facts.io_calls < ROLE_EVERY ? 7 : ROLE_EVERY;
}
