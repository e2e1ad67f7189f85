/* SPDX-License-Identifier: MIT */
#include "fdlock.h"

#include "guard.h"
#include "sys.h"

#include <signal.h>

/* One by the thread's own code, the others by signal handlers on top of it. */
#define HELD_MAX 4

/* Thread-local: 72 bytes of the initial-exec TLS block (a preload may use under 256). */
static __thread struct {
	uint32_t depth;
	struct {
		struct fdrec *rec;
		uintptr_t frame; /* of the fdrec_try_lock() that took it */
	} held[HELD_MAX];
} mine __attribute__((tls_model("initial-exec")));

#define EPOCH_SHIFT 44
#define EPOCH_MASK 0xfffffu

/* Epoch, and who: the address of a thread-local is unique among the living. Never 0. */
static uint64_t my_word(void)
{
	return (uint64_t)(fd_tags.epoch & EPOCH_MASK) << EPOCH_SHIFT | (uintptr_t)&mine >> 4;
}

/* Only if it is still this thread's: a jump may have come just before the lock was taken. */
static void make_void(struct fdrec *rec)
{
	uint64_t expected = my_word();

	cas_acq_rel(&rec->lock, &expected, 0);
}

/* On an alternate signal stack addresses say nothing about who called whom. */
static int is_on_alternate_stack(void)
{
	stack_t now;

	return sys_call(SYS_sigaltstack, NULL, &now, 0, 0, 0, 0) < 0 || (now.ss_flags & SS_ONSTACK);
}

/* Locks taken in frames that the thread has left since: the stack grows down. */
static COLD void release_left(uintptr_t frame)
{
	while (mine.depth && mine.held[mine.depth - 1].frame <= frame && !is_on_alternate_stack())
		make_void(mine.held[--mine.depth].rec);
}

/* Never inlined: the frame must be this function's own, below its caller's. */
__attribute__((noinline)) int fdrec_try_lock(struct fdrec *rec)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	uint64_t seen;
	uint32_t depth;

	if (unlikely(mine.depth))
		release_left(frame);
	seen = load_relaxed(&rec->lock);
	depth = mine.depth;
	if (seen >> EPOCH_SHIFT == (fd_tags.epoch & EPOCH_MASK) || depth == HELD_MAX)
		return 0;
	/* Into the list before it is taken: a jump in between leaves an entry that voids nothing. */
	mine.held[depth].rec = rec;
	mine.held[depth].frame = frame;
	fence_signal();
	mine.depth = depth + 1;
	fence_signal();
	if (cas_acq_rel(&rec->lock, &seen, my_word()))
		return 1;
	mine.depth = depth;
	return 0;
}

void fdrec_unlock(struct fdrec *rec)
{
	uint32_t depth = mine.depth;

	/* What lies above is of handlers that were jumped out of into code further down. */
	while (depth && mine.held[depth - 1].rec != rec)
		make_void(mine.held[--depth].rec);
	store_release(&rec->lock, 0);
	fence_signal();
	mine.depth = depth ? depth - 1 : 0;
}

void fdlock_release_all(void)
{
	while (mine.depth)
		make_void(mine.held[--mine.depth].rec);
}
