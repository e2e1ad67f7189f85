/* SPDX-License-Identifier: MIT */
/*
 * SingleT-Async of the write-spin paper: one thread does everything, and a response is written
 * until it is out. A send buffer smaller than the response makes it call write() over and over
 * for a whole round trip, and every other client waits as long: this is the fault the shim is
 * for, so nothing here may soften it (no yield, no pause, no larger buffer).
 */
#include <errno.h>

#include "loop.h"
#include "server.h"

static int single_write_all(struct worker *w, struct conn *c)
{
	int ret;

	do {
		ret = conn_write_once(w, c);
	} while (ret == -EAGAIN && !server_is_stopping(w->server));
	return ret;
}

static int single_serve(struct loop *loop, struct conn *c, uint32_t events)
{
	struct worker *w = &loop->worker;
	int ret = conn_fill(w, c);

	(void)events; /* only input is waited for; errors come out of the read */
	if (ret == -EAGAIN)
		return 0;
	while (!ret && (ret = conn_next(w, c)) > 0)
		ret = single_write_all(w, c);
	return ret;
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
