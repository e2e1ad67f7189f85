/* SPDX-License-Identifier: MIT */
/*
 * pthread_create: counts threads and takes back a thread's row when it ends. The host's start
 * routine is called from a routine of ours whose frame is a few words; stack sizes, attributes
 * and limits stay the host's. The cleanup handler also runs on pthread_exit and cancellation.
 */
#include "hooks.h"

#include "entry.h"
#include "mask.h"
#include "observe.h"
#include "socket.h"
#include "thread.h"

/*
 * What pthread_cleanup_push calls. glibc 2.34 gave these a new version when it merged
 * libpthread; the old names still resolve there, and before it they are in libpthread, which a
 * process with threads has loaded. Weak all the same: the library must start everywhere.
 */
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver __pthread_register_cancel, __pthread_register_cancel@GLIBC_2.3.3");
__asm__(".symver __pthread_unregister_cancel, __pthread_unregister_cancel@GLIBC_2.3.3");
__asm__(".symver __pthread_unwind_next, __pthread_unwind_next@GLIBC_2.3.3");
#endif
#pragma weak __pthread_register_cancel
#pragma weak __pthread_unregister_cancel
#pragma weak __pthread_unwind_next

/* Hands the host's routine over to the new thread. Static: the host's allocator may be calling. */
struct launch {
	uint32_t is_taken;
	void *(*start)(void *);
	void *argument;
};

/*
 * Threads created and not yet running, which may be a whole pool: with 64 cells a burst of 150
 * left 53 unseen. Cells are handed out in turn, so the first look nearly always finds one; 96 KB
 * of which only the touched pages exist.
 */
#define LAUNCHES 4096
#define LAUNCH_PROBES 64
static struct launch launches[LAUNCHES];
static uint32_t next_launch;

static struct launch *take_launch(void)
{
	for (unsigned i = 0; i < LAUNCH_PROBES; i++) {
		struct launch *launch = &launches[add_relaxed(&next_launch, 1) % LAUNCHES];
		uint32_t expected = 0;

		/* Pairs with the release in run(): the cell's last user has read it. */
		if (!load_relaxed(&launch->is_taken) && cas_acq_rel(&launch->is_taken, &expected, 1))
			return launch;
	}
	stats_global_add(GLOBAL_ODD, 1); /* goes unwrapped: its end would not be seen */
	return NULL;
}

static void ended(void *unused)
{
	(void)unused;
	entry_thread_ended();
	if (thread_self.context && thread_self.context->mask.in_force)
		mask_put_back();
	thread_ended();
}

static void *run(void *cell)
{
	struct launch *launch = cell;
	void *(*start)(void *) = launch->start;
	void *argument = launch->argument;
	void *result;

	store_release(&launch->is_taken, 0);
	pthread_cleanup_push(ended, NULL);
	result = start(argument);
	pthread_cleanup_pop(1);
	return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		   void *argument)
{
	struct launch *launch = unspin_is_on ? take_launch() : NULL;
	int r;

	if (!launch)
		return real.pthread_create(thread, attr, start, argument);
	launch->start = start;
	launch->argument = argument;
	r = real.pthread_create(thread, attr, run, launch);
	if (r == 0)
		thread_started();
	else
		store_release(&launch->is_taken, 0);
	return r;
}
