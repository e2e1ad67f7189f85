/* SPDX-License-Identifier: MIT */
/*
 * Carries verdicts out: the only code that changes what the host experiences. Today that is one
 * thing: the size of a socket's send buffer.
 */
#ifndef UNSPIN_ACTION_H
#define UNSPIN_ACTION_H

#include "config.h"
#include "fdtable.h"

/* Remembers the settings. Constructor only. */
void action_configure(const struct config *config);

/*
 * A write on fd stalled with `remaining` bytes not taken, the `tries`-th fruitless try in a row.
 * Asks the policy (not at every stall) and does what it says. The record's lock is held. The
 * host's result stands: a raised buffer makes the kernel report the socket writable at once, for
 * edge-triggered hosts too.
 */
void action_stalled(int fd, struct fdrec *rec, uint64_t remaining, uint32_t tries);

#endif
