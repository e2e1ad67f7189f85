/* SPDX-License-Identifier: MIT */
/*
 * Threads that take connections from one queue. Grown by its owner, a thread at a time; threads
 * without work stay, so that a burst does not start and end them over and over.
 */
#ifndef REACTOR_POOL_H
#define REACTOR_POOL_H

#include "queue.h"

/* A parked thread should cost an address range, not memory; ours need some 10 KB, sanitized or
 * instrumented ones more. */
#define POOL_STACK_BYTES (256UL << 10)

struct pool;
struct pool_thread;

/* Serve c, which belongs to the calling thread until it gives it away or closes it. */
typedef void pool_serve(struct pool *pool, struct worker *w, struct conn *c);

struct pool {
	struct server *server;
	struct queue queue;
	pool_serve *serve;
	void *context;		     /* for serve */
	struct pool_thread *threads; /* only the owner's thread touches the list */
	long size;		     /* of it; atomic, for /stats */
};

/* No threads yet. */
void pool_init(struct pool *pool, struct server *srv, pool_serve *serve, void *context);

/* Start one thread more. 0 or -errno: -EAGAIN, -ENOMEM. Only the owner, like pool_stop. */
int pool_grow(struct pool *pool);
long pool_size(const struct pool *pool);

/* Queue c; w: the calling thread's, for the counts. */
void pool_submit(struct pool *pool, struct worker *w, struct conn *c);

/* Wait for all threads to end what they are at, and free everything; connections that are still
 * queued are their owner's. */
void pool_stop(struct pool *pool);

#endif
