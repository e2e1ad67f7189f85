/* SPDX-License-Identifier: MIT */
/*
 * Was the kernel really full? A kernel that stalls a TCP write remembers it and reports EPOLLOUT
 * to edge-triggered sets when there is room again; after a stall somebody made up, no edge ever
 * comes although the socket is writable. So every non-blocking connection is in an edge-triggered
 * set of the test's own (by raw calls, unseen by the shim), and now and then a stall is followed
 * until its edge has come. This is the exact harm an edge-triggered host would suffer, so a
 * library that passes may also do odd things that hurt nobody.
 */
#ifndef DIFFERENTIAL_MONITOR_H
#define DIFFERENTIAL_MONITOR_H

#include "conn.h"

void monitor_start(void);
void monitor_stop(void);

void monitor_add(struct conn *c);
void monitor_remove(struct conn *c);

/* Before a write; the result is for monitor_expect after one that stalled. */
uint32_t monitor_mark(struct conn *c);
void monitor_expect(struct conn *c, uint32_t mark, const char *op, ssize_t r);

#endif
