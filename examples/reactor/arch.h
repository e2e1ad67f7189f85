/* SPDX-License-Identifier: MIT */
/*
 * An architecture: the way a server turns connections into threads and events. Everything else
 * (options, listener, signals, parser, responses, counters) is shared and knows none of them.
 *
 * To add one: write arch_NAME.c with a `const struct arch arch_NAME`, add NAME to ARCH_LIST, and
 * tag its own options with it in main.c. With --copies, run is called in each copy.
 */
#ifndef REACTOR_ARCH_H
#define REACTOR_ARCH_H

#include <stdbool.h>
#include <stdio.h>

struct server;

struct arch {
	const char *name;
	const char *help; /* one line for --help */
	long threads; /* what --threads is where it is not given; 0: no limit, or no use of it */
	long copies;  /* the same of --copies; 0: one */
	const char *sends;    /* words of --send it knows, its default first; NULL: "copy" */
	bool shares_listener; /* its copies accept from one queue, not each from its own */

	/*
	 * Serve srv->listen_fd until server_is_stopping(), then leave nothing behind: threads
	 * joined, connections closed, memory freed. 0, or -errno where it could not start.
	 */
	int (*run)(struct server *srv);

	/* Optional: further JSON members for /stats, each starting with a comma. Any thread. */
	void (*print_stats)(const struct server *srv, FILE *out);
};

#define ARCH_LIST(X)                                                                               \
	X(single)                                                                                  \
	X(yield)                                                                                   \
	X(threads)                                                                                 \
	X(dispatch)                                                                                \
	X(dispatch_fix)                                                                            \
	X(netty)                                                                                   \
	X(hybrid)                                                                                  \
	X(symped)                                                                                  \
	X(pipeline)                                                                                \
	X(seda)

#define ARCH_DECLARE(name) extern const struct arch arch_##name;
ARCH_LIST(ARCH_DECLARE)
#undef ARCH_DECLARE

#endif
