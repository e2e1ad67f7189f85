/* SPDX-License-Identifier: MIT */
/*
 * A reactor that only waits, and a pool of threads that read and write: what arch_dispatch.c and
 * arch_dispatch_fix.c have in common. They differ in how much a thread does before it hands the
 * connection back.
 *
 *	epoll_wait -> queue -> a thread -> mailbox -> reactor -> queue …, or waits again
 *
 * A connection has one owner at any time, the reactor or the thread that took it from the queue;
 * EPOLLONESHOT keeps it quiet while a thread has it. That a thread could arm it again by itself,
 * and spare the reactor a wake-up, is not used: Tomcat's poller is the only one to touch its
 * selector, too, and the paper counts the return of control to the reactor as a switch.
 */
#ifndef REACTOR_DISPATCH_H
#define REACTOR_DISPATCH_H

#include "pool.h"

/* One turn of a thread with c, which has no input in the thread's scratch afterwards. Negative:
 * close it; else, with a response, queue it for the next turn; without, wait for input. */
typedef int dispatch_work(struct worker *w, struct conn *c);

/* arch->run and arch->print_stats. */
int dispatch_run(struct server *srv, dispatch_work *work);
void dispatch_print_stats(const struct server *srv, FILE *out);

#endif
