/* SPDX-License-Identifier: MIT */
/*
 * The third stage of arch_pipeline.c: a thread that waits for room in sockets, and gives those
 * that have some to writers, a batch at a time; then it waits until all of the batch came back.
 *
 *	room_post ─> epoll (EPOLLOUT) ─> ready, for each of a batch ─> room_return, for each
 *	                 ^                                                 │
 *	                 └────────────── that stalled ─────────────────────┘
 */
#ifndef REACTOR_ROOM_H
#define REACTOR_ROOM_H

#include <stdio.h>

#include "conn.h"

#define ROOM_BATCH 512 /* connections handed on at once */

struct room;

/* Give c, which has room, to a writer. In the thread of room_serve, with its worker. */
typedef void room_ready(struct room *room, struct worker *w, struct conn *c);

/* 0 or -errno. Free when no thread uses it; connections inside are their owner's. NULL is fine. */
int room_new(struct server *srv, room_ready *ready, void *context, struct room **ret_room);
void room_free(struct room *room);
void *room_context(const struct room *room);

/* The thread's life, until the server stops. 0 or -errno. */
int room_serve(struct room *room);

/* Any thread: wait for room for c, which has a response. */
void room_post(struct room *room, struct conn *c);

/* A writer: one of the batch is through; c: it stalled and has to wait again, or NULL. */
void room_return(struct room *room, struct conn *c);

/* Counts of batches as JSON members, each starting with a comma. Any thread. */
void room_print(const struct room *room, FILE *out);

#endif
