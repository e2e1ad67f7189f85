/* SPDX-License-Identifier: MIT */
/*
 * What all threads of the process share: settings, the listener, the end, the sums.
 *
 * Life: settings and arch filled by main -> server_open -> arch->run -> server_close. Only main
 * and the architectures use this; http.c never sees it.
 */
#ifndef REACTOR_SERVER_H
#define REACTOR_SERVER_H

#include <stdbool.h>
#include <stdio.h>

#include "arch.h"
#include "counters.h"
#include "response.h"

/* The command line. Constant while the server runs. */
struct settings {
	const char *arch_name;
	const char *host;
	long port;	   /* 0: any free one */
	long sndbuf_bytes; /* SO_SNDBUF of the connections; 0: the kernel tunes it */
	long max_conns;	   /* per reactor; 0: as many as there are descriptors */
	long work;	   /* times a response is read before it is sent */
	bool is_edge_triggered;
};

struct server {
	const struct arch *arch;
	struct settings settings;
	int listen_fd;	  /* non-blocking */
	int stop_fd;	  /* eventfd: readable for ever once the server must stop */
	bool is_stopping; /* written by the signal handler, read by everybody: atomic */
	struct counters_pool *counters;
	struct response_cache cache;
};

/*
 * Listen, take SIGTERM and SIGINT, raise the descriptor limit. 0, or -errno after saying on
 * stderr what failed. At most one server per process, because signal handlers have no argument.
 */
int server_open(struct server *srv);

/* Undo server_open; also after it failed half-way. All connections must be closed. */
void server_close(struct server *srv);

/* Print "listening on HOST:PORT" (the port that was really bound) and flush. */
void server_announce(const struct server *srv);

/* The body of /stats. Any thread. */
void server_print_stats(const struct server *srv, FILE *out);

/* For loops that do not wait for stop_fd. Relaxed: the flag carries nothing but itself. */
static inline bool server_is_stopping(const struct server *srv)
{
	return __atomic_load_n(&srv->is_stopping, __ATOMIC_RELAXED);
}

#endif
