/* SPDX-License-Identifier: MIT */
/*
 * HybridNetty of the write-spin paper: netty, plus a map from the class of a response to whether
 * it spins. What does not is written as `single` does, without the care it does not need; what
 * does, or what nobody knows yet, is written as `netty` does. As in the paper a response that was
 * taken for light and is not spins to its end: it is the one the map learns from, and the next of
 * its class does not. That remainder is what the shim has to beat.
 */
#include <errno.h>
#include <stdlib.h>

#include "class_map.h"
#include "reactors.h"
#include "serve.h"
#include "server.h"

static void hybrid_learn(struct worker *w, unsigned int class_at, bool has_spun)
{
	if (class_map_learn(reactors_context(w->server), class_at, has_spun))
		counter_add_relaxed(&w->counters->corrections, 1);
}

static int hybrid_write_light(struct worker *w, struct conn *c, unsigned int class_at)
{
	int ret = conn_write_once(w, c);

	if (ret != -EAGAIN)
		return ret;
	hybrid_learn(w, class_at, true);
	return serve_write_spinning(w, c);
}

static int hybrid_write_heavy(struct worker *w, struct conn *c, unsigned int class_at)
{
	unsigned long before = w->counters->writes;
	int ret = serve_write_bounded(w, c);

	if (!ret || ret == -EAGAIN) /* a broken connection teaches nothing about the class */
		hybrid_learn(w, class_at, ret || w->counters->writes - before > 1);
	return ret;
}

/* The path is chosen at a response's first byte; one that was left stays on the heavy path. */
static int hybrid_write(struct worker *w, struct conn *c)
{
	const struct class_map *map = reactors_context(w->server);
	unsigned int class_at;

	if (c->out != c->response->bytes)
		return serve_write_bounded(w, c);
	class_at = class_map_find(c->left);
	if (class_map_path(map, class_at) == CLASS_LIGHT) {
		counter_add_relaxed(&w->counters->light_responses, 1);
		return hybrid_write_light(w, c, class_at);
	}
	counter_add_relaxed(&w->counters->heavy_responses, 1);
	return hybrid_write_heavy(w, c, class_at);
}

static int hybrid_serve(struct loop *loop, struct conn *c, uint32_t events)
{
	(void)events;
	return serve_waiting(loop, c, hybrid_write);
}

static int hybrid_run(struct server *srv)
{
	static const struct loop_ops ops = { .events = EPOLLIN, .serve = hybrid_serve };
	struct class_map *map = calloc(1, sizeof(*map));
	int ret;

	if (!map)
		return -ENOMEM;
	ret = reactors_run(srv, &ops, map);
	free(map);
	return ret;
}

static void hybrid_print_stats(const struct server *srv, FILE *out)
{
	reactors_print_stats(srv, out);
	fprintf(out, ",\"class_map\":");
	class_map_print(reactors_context(srv), out);
}

const struct arch arch_hybrid = {
	.name = "hybrid",
	.help = "netty, but what is known not to spin is written as in single",
	.threads = 1,
	.run = hybrid_run,
	.print_stats = hybrid_print_stats,
};
