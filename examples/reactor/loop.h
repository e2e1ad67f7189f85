/* SPDX-License-Identifier: MIT */
/*
 * One thread, one epoll set: accepts, watches, and hands the events of a connection to the
 * architecture. Who reads and writes, and when, is decided there.
 *
 * An architecture with several threads puts its loops together from the steps below; everything
 * here but loop_post and loop_watched is for the loop's own thread.
 */
#ifndef REACTOR_LOOP_H
#define REACTOR_LOOP_H

#include <sys/epoll.h>

#include "conn.h"
#include "mailbox.h"

#define LOOP_EVENTS 512 /* per wait */

struct loop;

/* What an architecture does with connections; a loop without any connections of its own (they
 * are all given away in accepted) needs no serve. */
struct loop_ops {
	uint32_t events;  /* epoll mask of a connection when it is watched */
	bool is_blocking; /* accepted sockets are to block */

	/* Something happened on c. 0: go on; negative: close it. Must not close any itself. */
	int (*serve)(struct loop *loop, struct conn *c, uint32_t events);

	/* Optional, instead of watching it here: a new connection. 0: it is taken care of; -EAGAIN:
	 * it is, but accept no more for the moment; other negative: the loop closes it. */
	int (*accepted)(struct loop *loop, struct conn *c);

	/* Optional: c arrived by loop_post. */
	void (*posted)(struct loop *loop, struct conn *c);
};

struct loop {
	struct worker worker;
	const struct loop_ops *ops;
	void *context; /* the architecture's */
	int epoll_fd;
	struct conn *conns; /* all watched ones, newest first */
	long watched;	    /* their number; written by this thread, atomic for /stats */
	long max_open;	    /* of the process; accepting pauses there; 0: no limit */
	bool is_paused;	    /* accepting: until the gate or wait_ms says so */
	int wait_ms;	    /* timeout of the next wait; not -1 only after a failed accept */
	struct mailbox mailbox;
	struct epoll_event ready[LOOP_EVENTS];
};

/* The life of a lone reactor: serve srv->listen_fd until the server stops. 0 or -errno. */
int loop_run(struct server *srv, const struct loop_ops *ops);

/* The same in steps. A loop is made; accepts, if it is the one that does so; turns until the
 * server stops; is freed with its connections, when no other thread uses them or posts. */
int loop_new(struct server *srv, const struct loop_ops *ops, void *context, struct loop **ret_loop);
int loop_listen(struct loop *loop, long max_open);
int loop_serve(struct loop *loop);
void loop_free(struct loop *loop); /* NULL is fine */

/* Take c in, which is in no list: wait for ops->events. 0, or -errno: c is still the caller's. */
int loop_watch(struct loop *loop, struct conn *c);

/* Close c, which is watched here. */
void loop_drop(struct loop *loop, struct conn *c);

/* Wait for other events on c from now on; free of charge where nothing changes. 0 or -errno. */
int loop_arm(struct loop *loop, struct conn *c, uint32_t events);

/* Wait for ops->events, or for others, again after an EPOLLONESHOT fired. 0 or -errno. */
int loop_rearm(struct loop *loop, struct conn *c);
int loop_rearm_for(struct loop *loop, struct conn *c, uint32_t events);

/* Send c to the loop's thread, which calls ops->posted. Any thread that has c, with its worker. */
void loop_post(struct loop *loop, struct worker *w, struct conn *c);

/* Connections watched. Any thread. */
long loop_watched(const struct loop *loop);

#endif
