/* SPDX-License-Identifier: MIT */
/*
 * SingleT-Async of the write-spin paper: one thread does everything, and a response is written
 * until it is out. A send buffer smaller than the response makes it call write() over and over
 * for a whole round trip, and every other client waits as long: this is the fault the shim is
 * for, so nothing here, nor in serve_write_spinning, may soften it (no yield, no pause, no larger
 * buffer).
 */
#include "serve.h"
#include "server.h"

static int single_serve(struct loop *loop, struct conn *c, uint32_t events)
{
	(void)events; /* only input is waited for; errors come out of the read */
	return serve_spinning(&loop->worker, c);
}

static int single_run(struct server *srv)
{
	static const struct loop_ops ops = { .events = EPOLLIN, .serve = single_serve };

	return loop_run(srv, &ops);
}

const struct arch arch_single = {
	.name = "single",
	.help = "one reactor; repeats write() until the response is out (write-spin)",
	.run = single_run,
};
