/* SPDX-License-Identifier: MIT */
/*
 * A connection: its parser, the response on its way out, and input nobody has looked at yet.
 * Steps, not policy: when to read, when to write and what to do on a stall is the architecture.
 *
 *	conn_fill -> conn_next -> response -> conn_write_once … -> conn_next …
 *
 * Not thread-safe; an architecture that moves a connection between threads moves all of it, after
 * conn_keep_input, and passes the worker of the thread it runs on.
 */
#ifndef REACTOR_CONN_H
#define REACTOR_CONN_H

#include <stdint.h>

#include "counters.h"
#include "http.h"
#include "response.h"

#define WORKER_SCRATCH_BYTES 16384 /* one read; also the most that pipelining may leave over */

struct server;

/* What a thread that serves connections brings along. The scratch is the input buffer of whatever
 * connection it serves now, so that connections without input own none. */
struct worker {
	struct server *server;
	struct counters *counters;
	char scratch[WORKER_SCRATCH_BYTES];
};

/*
 * Invariants: (left > 0) == (response != NULL); out points into response; input points into a
 * worker's scratch, or into kept, or input_bytes is 0; kept != NULL implies input_bytes > 0.
 * While a response is under way nothing is parsed, so there is never more than one.
 */
struct conn {
	struct conn *next, **link; /* in the owner's list; link: who points at us */
	int fd;
	uint32_t events;   /* for event loops: armed mask, loop.c */
	bool is_readable;  /* for edge-triggered loops: not yet read to EAGAIN */
	bool is_lingering; /* answered for the last time; input is thrown away */
	bool is_done;	   /* nothing more to do but close */
	struct http_parser parser;
	const struct response *response;
	const char *out;   /* next byte to write */
	size_t left;	   /* bytes from out to write */
	const char *input; /* next byte to parse */
	size_t input_bytes;
	char *kept; /* own memory of input, where it outlived the scratch */
};

/* 0 or -errno (no free counters). conn.c's functions need a worker with both set. */
int worker_init(struct worker *w, struct server *srv);
void worker_clear(struct worker *w);

/* Accept one connection, with flags for accept4. 0, or -errno: -EAGAIN none waits, -EMFILE … */
int conn_accept(struct worker *w, int flags, struct conn **ret_conn);

/* Close and free, whatever is still under way. NULL is fine. Not to be in any list. */
void conn_close(struct worker *w, struct conn *c);

/* Read once. To be called when conn_next wants more. 0: input is there; -EAGAIN: none now;
 * -ESHUTDOWN: the client sends no more; other -errno: broken. */
int conn_fill(struct worker *w, struct conn *c);

/* Parse to the next request and prepare its response. 1: c->response is set; 0: all input is
 * used, read on; -ESHUTDOWN: the conversation is over; -ENOMEM. Not while a response is set. */
int conn_next(struct worker *w, struct conn *c);

/* One write() of what is left. 0: the response is out, c->response is NULL; -EAGAIN: stalled
 * (EAGAIN or short), the rest is kept; other -errno: broken. */
int conn_write_once(struct worker *w, struct conn *c);

/* Move unparsed input out of the scratch. Before leaving a connection whose conn_next did not
 * return 0. 0 or -ENOMEM. */
int conn_keep_input(struct conn *c);

#endif
