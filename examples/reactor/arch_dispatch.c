/* SPDX-License-Identifier: MIT */
/*
 * sTomcat-Async of the write-spin paper: a reactor and worker threads, where reading and writing
 * are two events, each dispatched to whichever thread is free. So a request changes threads four
 * times: reactor, a thread that reads and makes the response, reactor, a thread that writes it,
 * reactor. The writer repeats write() until the response is out, and so spins like `single`, but
 * up to --threads of them at once.
 */
#include <errno.h>

#include "dispatch.h"
#include "serve.h"
#include "server.h"

/* 1: a response is made; 0: the request is not complete yet; negative: over. */
static int dispatch_read(struct worker *w, struct conn *c)
{
	int ret = conn_fill(w, c);

	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	return conn_next(w, c);
}

/* Pipelined input is the next request: it has no read event of its own, and a write to come. */
static int dispatch_write(struct worker *w, struct conn *c)
{
	int ret = serve_write_spinning(w, c);

	return ret ? ret : conn_next(w, c);
}

static int dispatch_read_or_write(struct worker *w, struct conn *c)
{
	int ret = c->response ? dispatch_write(w, c) : dispatch_read(w, c);

	return ret > 0 ? conn_keep_input(c) : ret;
}

static int arch_dispatch_run(struct server *srv)
{
	return dispatch_run(srv, dispatch_read_or_write);
}

const struct arch arch_dispatch = {
	.name = "dispatch",
	.help = "reactor and threads; one reads, another writes: 4 switches a request",
	.threads = 8,
	.run = arch_dispatch_run,
	.print_stats = dispatch_print_stats,
};
