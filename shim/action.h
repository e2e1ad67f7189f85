/* SPDX-License-Identifier: MIT */
/*
 * Carries verdicts out: the only code that changes what the host experiences. Today that is one
 * thing: the size of a socket's send buffer.
 */
#ifndef UNSPIN_ACTION_H
#define UNSPIN_ACTION_H

#include "config.h"
#include "fdtable.h"
#include "request.h"

/* Remembers the settings. Constructor only. */
void action_configure(const struct config *config);

/*
 * A write on fd stalled with `sent` bytes taken, the `tries`-th fruitless try in a row.
 * Asks the policy (not at every stall, unless is_wanted) and does what it says. The record's lock
 * is held. Returns
 * 1 when the buffer was raised; the kernel then reports the socket writable at once, to
 * edge-triggered hosts too.
 */
int action_stalled(int fd, struct fdrec *rec, const struct request *request, size_t sent,
		   uint32_t tries, int is_wanted);

/* A new response: the one before it, if it was left to open the reader's window, was not the last. */
void action_came_back(struct fdrec *rec);

/*
 * Before a write: the response needs `need` bytes (0: not known). Raises the buffer if they do
 * not fit and the call would not block, and sets room_bytes so that the next look comes when it may
 * matter. Lock held.
 */
void action_ahead(const struct request *request, struct fdrec *rec, uint64_t need, int is_by_class);

/* Notes a treatment inside the call in the socket's row and the ring of decisions. Lock held. */
void action_note(int fd, struct fdrec *rec, enum strategy strategy, enum reason reason);

#endif
