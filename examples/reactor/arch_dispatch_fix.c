/* SPDX-License-Identifier: MIT */
/*
 * sTomcat-Async-Fix of the write-spin paper: a reactor and worker threads, where the thread that
 * read the request also writes the response, and then is free for another. Two changes of thread
 * a request instead of four: reactor, thread, reactor. It spins like `dispatch`.
 */
#include "dispatch.h"
#include "serve.h"
#include "server.h"

static int dispatch_fix_run(struct server *srv)
{
	return dispatch_run(srv, serve_spinning);
}

const struct arch arch_dispatch_fix = {
	.name = "dispatch-fix",
	.help = "reactor and threads; the one that reads also writes: 2 switches a request",
	.threads = 8,
	.run = dispatch_fix_run,
	.print_stats = dispatch_print_stats,
};
