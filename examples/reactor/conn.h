/* SPDX-License-Identifier: MIT */
/*
 * A connection: its parser, the response on its way out, and input nobody has looked at yet.
 * Steps, not policy: when to read, when to write and what to do on a stall is the architecture.
 *
 *	conn_fill -> conn_next -> response -> conn_write_once … -> conn_next …
 *
 * where conn_next is conn_parse and conn_answer, which may be two steps of two threads.
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
 * Invariants: (left > 0) == (response != NULL); out points into response's bytes; input points into
 * a worker's scratch, or into kept, or input_bytes is 0; kept != NULL implies input_bytes > 0.
 * While a response is under way nothing is parsed, so there is never more than one.
 */
struct conn {
	struct conn *next, **link; /* in the owner's list; link: who points at us, NULL: nobody */
	struct conn *queued;	   /* next in a fifo.h, of which it is in one at most */
	int fd;
	uint32_t events;   /* for event loops: armed mask, loop.c */
	bool is_readable;  /* for edge-triggered loops: not yet read to EAGAIN */
	bool is_over;	   /* handed back to the loop that owns it, to be closed */
	bool is_lingering; /* answered for the last time; input is thrown away */
	bool is_done;	   /* nothing more to do but close */
	struct http_parser parser;
	enum http_result result; /* of conn_parse, for conn_answer; valid between the two */
	struct response *response;
	const char *out;   /* next byte of it to write; where a body in a file begins, its end */
	size_t left;	   /* bytes still to write, those in a file included */
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

/* Enter the list of its owner, as the first; leave it. The list's lock, if any, is the caller's. */
void conn_link(struct conn *c, struct conn **list);
void conn_unlink(struct conn *c);

/* Read once. To be called when conn_next wants more. 0: input is there; -EAGAIN: none now;
 * -ESHUTDOWN: the client sends no more; other -errno: broken. */
int conn_fill(struct worker *w, struct conn *c);

/* Parse to the next request. 1: there is one; 0: all input is used, read on; -ESHUTDOWN: the
 * conversation is over. Not while a response is set. */
int conn_parse(struct worker *w, struct conn *c);

/* After a 1 of conn_parse: prepare the response, or one that refuses to, and ends the
 * conversation. 0: c->response is set; -ENOMEM. */
int conn_answer(struct worker *w, struct conn *c);
int conn_refuse(struct worker *w, struct conn *c);

/* Both at once. 1: c->response is set; else as conn_parse and conn_answer. */
int conn_next(struct worker *w, struct conn *c);

/* One write() of what is left; of a body in a file one sendfile(), after one send() of the head.
 * 0: the response is out, c->response is NULL; -EAGAIN: stalled (EAGAIN or short), the rest is
 * kept; other -errno: broken. */
int conn_write_once(struct worker *w, struct conn *c);

/* Move unparsed input out of the scratch. Before leaving a connection whose conn_next did not
 * return 0. 0 or -ENOMEM. */
int conn_keep_input(struct conn *c);

#endif
