/* SPDX-License-Identifier: MIT */
/*
 * --copies N: the paper's N-copy model. N processes forked from one that serves nothing itself:
 * it waits, passes SIGTERM and SIGINT on, and when one copy ends unasked ends the others too,
 * since half a server would spoil a measurement unnoticed. Each copy has its listener, threads
 * and response cache, unless the architecture or --shared-cache says otherwise; the counters are
 * common to all.
 */
#ifndef REACTOR_COPIES_H
#define REACTOR_COPIES_H

struct server;

/*
 * Run the architecture in srv->settings.copies processes, or right here where that is 1. Returns
 * once in each copy, and in the first process when all copies are gone: 0 or -errno. Everywhere
 * server_close is next.
 */
int copies_run(struct server *srv);

#endif
