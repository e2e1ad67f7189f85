/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include "retry.h"
#include "sys.h"
#include "thread.h"

/* Calls one thread makes after another's part of a response before it counts as the only writer. */
#define SHARED_CALLS 16

uint32_t entry_thread(void)
{
	return thread_self.id ? thread_self.id : (uint32_t)sys_gettid() | 1u << 31;
}

void entry_begin(struct fdrec *rec)
{
	uint32_t before = load_relaxed(&rec->writer), self = entry_thread();
	uint8_t shared = load_relaxed(&rec->shared_for);

	__atomic_add_fetch(&rec->writing, 1, __ATOMIC_SEQ_CST);
	if (thread_self.context && !thread_self.context->entered)
		thread_self.context->entered = rec;
	if (before != self) {
		store_relaxed(&rec->writer, self);
		if (before)
			shared = load_relaxed(&rec->spin.response_bytes) ? SHARED_CALLS : 1;
	} else if (shared) {
		shared--;
	}
	store_relaxed(&rec->shared_for, shared);
	if (retry_is_in_progress(rec))
		retry_give_way(rec);
}

void entry_leave(struct fdrec *rec)
{
	if (thread_self.context && thread_self.context->entered == rec)
		thread_self.context->entered = NULL;
	/* Below 0: the descriptor was closed meanwhile. */
	if (__atomic_sub_fetch(&rec->writing, 1, __ATOMIC_SEQ_CST) < 0)
		__atomic_store_n(&rec->writing, 0, __ATOMIC_SEQ_CST);
}

void entry_thread_ended(void)
{
	if (thread_self.context && thread_self.context->entered)
		entry_leave(thread_self.context->entered);
}

int entry_is_alone(const struct request *q, const struct fdrec *rec)
{
	return load_relaxed(&rec->writer) == entry_thread() &&
	       !load_relaxed(&rec->shared_for) &&
	       load_relaxed(&rec->has_sent) == SENT_NOTHING &&
	       __atomic_load_n(&rec->writing, __ATOMIC_SEQ_CST) == (q->rec == rec);
}
