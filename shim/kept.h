/* SPDX-License-Identifier: MIT */
/*
 * Errors that a retry met after part of a call was sent: a socket says ECONNRESET once and not
 * again, so the error is owed to the host's next call on that socket, by whatever number it
 * makes it (dup). So the error is kept by SO_COOKIE, and every record of the socket is marked
 * (fdrec.owes_error), so that its next call looks here before it is made.
 *
 * Lock-free and safe in signal handlers; no allocation. At most KEPT_COUNT errors wait at a time:
 * of more, the oldest are forgotten (their sockets answer EPIPE).
 */
#ifndef UNSPIN_KEPT_H
#define UNSPIN_KEPT_H

#include "fdtable.h"

#define KEPT_COUNT 64

/* Keeps it and marks the records. Lock of none of them held. Reads through the whole table: a
 * connection has just been reset. */
void kept_put(uint64_t cookie, int error);

/* Is one kept for this socket? For records begun after it was. */
int kept_has(uint64_t cookie);

/* Hands it over, once; 0: none. Clears the record's mark. Lock not held. */
int kept_take(int fd, struct fdrec *rec);

#endif
