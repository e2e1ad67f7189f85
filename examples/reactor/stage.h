/* SPDX-License-Identifier: MIT */
/*
 * A stage of SEDA: a bounded queue, threads that take from it a batch at a time, and controllers
 * that set the number of threads and the size of a batch (control.h). What finds the queue full
 * is shed: whoever wanted to put it in must do without.
 *
 * It is no pool.h because threads come and go here, and no queue.h because that has no bound.
 * Threads are started and joined by one thread at a time: its maker, then whoever controls it,
 * then its maker again.
 */
#ifndef REACTOR_STAGE_H
#define REACTOR_STAGE_H

#include <stdio.h>

#include "conn.h"

struct stage;

/* Do the stage's work on c, which is the calling thread's until it hands it on. */
typedef void stage_handle(struct worker *w, struct conn *c, void *context);

struct stage_plan {
	const char *name;
	stage_handle *handle;
	void *context;
	long threads_max;
	long queue_max;
};

/* With one thread. 0 or -errno. */
int stage_new(struct server *srv, const struct stage_plan *plan, struct stage **ret_stage);

/* Send its threads home and join them; connections in the queue are their owner's. NULL is fine.
 * To be freed when nobody puts into it any more. */
void stage_stop(struct stage *stage);
void stage_free(struct stage *stage);

/* Queue c; any thread, with its worker. 0, or -ENOBUFS: it was shed, and is still the caller's. */
int stage_put(struct stage *stage, struct worker *w, struct conn *c);

/* The same for what a stage has let in before, and must not be shed half-way. */
void stage_put_again(struct stage *stage, struct worker *w, struct conn *c);

/* Let the controllers decide, once in CONTROL_PERIOD_NS. */
void stage_control(struct stage *stage, int64_t now_ns);

/* State and decisions as a JSON object. Any thread. */
void stage_print(struct stage *stage, FILE *out);

#endif
