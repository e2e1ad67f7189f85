/* SPDX-License-Identifier: MIT */
/*
 * What all threads of the process share: settings, the listener, the end, the sums.
 *
 * Life: settings and arch filled by main -> server_open -> arch->run -> server_close; with
 * --copies, each copy is forked after server_open and calls server_become_copy first. Only main,
 * copies.c and the architectures use this; http.c never sees it.
 */
#ifndef REACTOR_SERVER_H
#define REACTOR_SERVER_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#include "arch.h"
#include "counters.h"
#include "gate.h"
#include "cache.h"

/* How bodies leave. */
enum send {
	SEND_COPY,    /* with the head, from memory */
	SEND_FILE_NB, /* sendfile() on a non-blocking socket */
	SEND_FILE_B,  /* on a blocking one */
};

/* The command line. Constant while the server runs. */
struct settings {
	const char *arch_name;
	const char *host;
	const char *root;      /* directory of files to serve; NULL: none */
	const char *send_name; /* of --send; NULL: the architecture's first */
	enum send send;
	long port;	   /* 0: any free one */
	long sndbuf_bytes; /* SO_SNDBUF of the connections; 0: the kernel tunes it */
	long max_conns;	   /* per copy; 0: as many as there are descriptors */
	long work;	   /* times a response is read before it is sent */
	long threads;	   /* once main has put in the architecture's own number: 0 is no limit */
	long max_writes;   /* on one response, before others get their turn */
	long queue;	   /* connections that may wait for a stage */
	long copies;	   /* processes; like threads */
	bool is_pinned;
	bool is_edge_triggered;
	bool is_blocking;
	bool has_shared_cache;
	bool is_listener_shared; /* by the architecture */
};

struct server {
	const struct arch *arch;
	struct settings settings;
	int listen_fd;	  /* non-blocking */
	int *listen_fds;  /* of all copies; NULL in a copy, which has but its own */
	int stop_fd;	  /* eventfd: readable for ever once the server must stop */
	bool is_stopping; /* written by the signal handler, read by everybody: atomic */
	void *context;	  /* the architecture's own, for its print_stats; constant while it runs */
	cpu_set_t cpus;	  /* for pin.c */
	struct gate gate;
	struct counters_pool *counters; /* common to all copies */
	struct cache *cache;
	int root_fd; /* of settings.root, or -1 */
};

/*
 * Listen, take SIGTERM and SIGINT, raise the descriptor limit. 0, or -errno after saying on
 * stderr what failed. At most one server per process, because signal handlers have no argument.
 */
int server_open(struct server *srv);

/* In a copy, before anything else: have one's own stop_fd and gate, and of the listeners only the
 * index-th. 0 or -errno. */
int server_become_copy(struct server *srv, long index);

/* Stop listening, in this process. */
void server_close_listeners(struct server *srv);

/* Make all threads end, as SIGTERM does. Any thread; safe in a signal handler; also when they are
 * about to end already. */
void server_stop(struct server *srv);

/* Undo server_open; also after it failed half-way. All connections must be closed. */
void server_close(struct server *srv);

/* Print "listening on HOST:PORT" (the port that was really bound) and flush. */
void server_announce(const struct server *srv);

/* The body of /stats. Any thread. */
void server_print_stats(const struct server *srv, FILE *out);

/* What --send is, for statistics. */
static inline const char *server_send_name(const struct server *srv)
{
	return srv->settings.send_name ? srv->settings.send_name : "copy";
}

/* For loops that do not wait for stop_fd. Relaxed: the flag carries nothing but itself. */
static inline bool server_is_stopping(const struct server *srv)
{
	return __atomic_load_n(&srv->is_stopping, __ATOMIC_RELAXED);
}

#endif
