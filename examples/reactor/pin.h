/* SPDX-License-Identifier: MIT */
/*
 * --pin: copies or threads to cores, in turn over the cores the process may use. With several
 * copies, each has a core and its threads stay on it, as in the paper's N-copy model; with one,
 * its threads are spread. The main thread is number 0.
 */
#ifndef REACTOR_PIN_H
#define REACTOR_PIN_H

struct server;

/* Remember the cores that may be used, before anything is pinned. 0, or -errno. */
int pin_init(struct server *srv);

/* Pin the calling thread, as the index-th of its kind. Nothing without --pin. */
void pin_copy(const struct server *srv, long index);
void pin_thread(const struct server *srv, long index);

#endif
