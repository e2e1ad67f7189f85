/* SPDX-License-Identifier: MIT */
/*
 * Styles of servers. Each scene is run by a thread of its own to the end of all its connections.
 */
#ifndef DIFFERENTIAL_SCENE_H
#define DIFFERENTIAL_SCENE_H

#include <pthread.h>
#include <signal.h>

#include "conn.h"

#define SCENE(name, low, high, threads, help) void scene_##name(const struct scene_plan *s);
SCENES(SCENE)
#undef SCENE

/* The deterministic phase: single-threaded, before the scenes; every result goes to the trace. */
void scene_exact(uint64_t seed);

/* The connections of a scene that are open, and where more come from. One owner thread. */
struct crowd {
	const struct scene_plan *scene;
	int listener, is_nonblocking;
	uint32_t next;	    /* to look at for those we open ourselves */
	uint32_t to_accept; /* still to come by the listener */
	uint32_t count;
	struct conn *open[MAX_CONNS];
};

void crowd_begin(struct crowd *crowd, const struct scene_plan *s, int is_nonblocking);

/*
 * Begins with all the scene's connections open at once, however few its plan lets be: *wide becomes
 * that plan, and lives as long as the crowd.
 */
void crowd_begin_full(struct crowd *crowd, const struct scene_plan *s, struct scene_plan *wide);

/* Opens until `width` are open or no more are there now. Returns one new connection or NULL. */
struct conn *crowd_more(struct crowd *crowd);

/* Forgets the i-th open one (the last takes its place). */
void crowd_drop(struct crowd *crowd, uint32_t i);

/* All have been opened and dropped. */
int crowd_is_over(const struct crowd *crowd);

void crowd_end(struct crowd *crowd);

/* What a thread of a scene starts and ends with (signals stay blocked outside scene_bell). */
void scene_thread(pthread_t *ret_thread, void *(*start)(void *), void *argument);

/* Handlers, installed once by the host. */
void bell_install(void);
void bell_allow(int how); /* SIG_UNBLOCK or SIG_BLOCK the ringing signals in this thread */

#endif
