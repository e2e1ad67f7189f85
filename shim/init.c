/* SPDX-License-Identifier: MIT */
/*
 * The constructor: originals, settings, fork handler, on. Before it has run every wrapper is a
 * raw system call and nothing is observed. There is no destructor: the statistics are in shared
 * memory, and other threads and libraries go on calling us while the process exits.
 */
#include "action.h"
#include "config.h"
#include "exclusive.h"
#include "gather.h"
#include "guard.h"
#include "mask.h"
#include "real.h"
#include "retry.h"
#include "site.h"
#include "socket.h"
#include "stats.h"
#include "stretch.h"
#include "sys.h"
#include "thread.h"
#include "treat.h"
#include "watch.h"

#include <string.h>
#include <sys/auxv.h>

extern char **environ;

/* glibc's pthread_atfork lives in its static part and calls this; named by the LSB. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			     void *dso);
extern void *__dso_handle __attribute__((visibility("hidden")));

/* Fork child, before the host's code goes on: other threads, and the parent's file, are gone. */
static void begin_child(void)
{
	struct guard g = guard_enter();

	/* A signal handler that runs in between must not count into the parent's file. */
	store_release(&unspin_is_on, 0);
	fdtable_next_epoch();
	retry_begin_child();
	watch_begin_child();
	masked_begin_child();
	thread_begin_child();
	stats_begin_child();
	store_release(&unspin_is_on, 1);
	guard_leave(g);
}

static void before_fork(void)
{
	struct guard g = guard_enter();

	masked_forking();
	guard_leave(g);
}

/* The one case in which the library may speak, because the user asked: UNSPIN_VERBOSE=1. */
static void say_problems(const struct config *config)
{
	static const char head[] = "unspin: ignored setting: ";

	for (uint32_t i = 0; i < config->problem_count && i < CONFIG_PROBLEMS_MAX; i++) {
		const char *name = config->problem[i].name;

		sys_call(SYS_write, 2, head, sizeof(head) - 1, 0, 0, 0);
		sys_call(SYS_write, 2, name, strlen(name), 0, 0, 0);
		sys_call(SYS_write, 2, "\n", 1, 0, 0, 0);
	}
}

__attribute__((constructor)) static void begin(void)
{
	static struct config config; /* 1 KB: not on the stack of an unknown program */
	struct guard g;

	/* With raised privileges the environment is the caller's, not the owner's: do nothing. */
	if (getauxval(AT_SECURE)) {
		real_resolve();
		return;
	}
	g = guard_enter();
	real_resolve();
	config_from_environment(&config, environ);
	if (config.value[CONFIG_verbose])
		say_problems(&config);
	stats_configure(&config, environ);
	action_configure(&config);
	treat_configure(&config);
	site_configure(&config);
	exclusive_configure(&config);
	stretch_configure(&config);
	gather_configure(&config);
	mask_configure(&config);
	fdtable_next_epoch();
	if (config.value[CONFIG_mode] != MODE_OFF) {
		__register_atfork(before_fork, NULL, begin_child, &__dso_handle);
		store_release(&unspin_is_on, 1);
	}
	guard_leave(g);
}
