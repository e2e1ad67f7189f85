/* SPDX-License-Identifier: MIT */
/*
 * One thread that accepts and --threads reactors, each with connections of its own that it never
 * gives away: Netty's boss and workers, for arch_netty.c and arch_hybrid.c. Connections are dealt
 * out in turn.
 */
#ifndef REACTOR_REACTORS_H
#define REACTOR_REACTORS_H

#include "loop.h"

/* arch->run; ops: the events and the serve of the reactors. context: theirs, loop->context. */
int reactors_run(struct server *srv, const struct loop_ops *ops, void *context);

/* The context given to reactors_run. Any of its threads. */
void *reactors_context(const struct server *srv);

/* For arch->print_stats: how many, and the connections each has. */
void reactors_print_stats(const struct server *srv, FILE *out);

#endif
