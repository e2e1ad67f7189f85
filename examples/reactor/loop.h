/* SPDX-License-Identifier: MIT */
/*
 * One thread, one epoll set: accepts, watches, and hands the events of a connection to the
 * architecture. Who reads and writes, and when, is decided there.
 */
#ifndef REACTOR_LOOP_H
#define REACTOR_LOOP_H

#include <sys/epoll.h>

#include "conn.h"

#define LOOP_EVENTS 512 /* per wait */

struct loop;

struct loop_ops {
	uint32_t events; /* epoll mask of a new connection */

	/* Something happened on c. 0: go on; negative: close it. Must not close any itself. */
	int (*serve)(struct loop *loop, struct conn *c, uint32_t events);
};

struct loop {
	struct worker worker;
	const struct loop_ops *ops;
	int epoll_fd;
	struct conn *conns; /* all open ones, newest first */
	long open;	    /* their number */
	long resume_below;  /* accepting pauses until open is below this; 0: not paused */
	int wait_ms;	    /* timeout of the next wait; not -1 only after a failed accept */
	struct epoll_event ready[LOOP_EVENTS];
};

/* The life of a reactor: serve srv->listen_fd until the server stops. 0 or -errno. */
int loop_run(struct server *srv, const struct loop_ops *ops);

/* Wait for other events on c from now on; free of charge where nothing changes. 0 or -errno. */
int loop_arm(struct loop *loop, struct conn *c, uint32_t events);

#endif
