/* SPDX-License-Identifier: MIT */
/*
 * Call sites: where in the host a write came from, so that two users of one wrapper function (a
 * buffered-write helper, a runtime) are two classes.
 *
 *	address	the return address of the host's call
 *	path	a hash of the return addresses above it; 0: known by its address alone
 *
 * A path has up to SITE_FRAMES addresses, as many as UNSPIN_CALLERS allows. It ends at the first
 * function of the thread, at code without frame information (JITs, some assembly), at the frame of
 * a signal handler and at an address met before, so that a recursion is one path however deep. An
 * address has SITE_PATHS paths at most; calls on any further path share the class of the address
 * alone.
 *
 * Slow path only. No locks, no allocation, no system calls; safe in signal handlers, also in one
 * that interrupted dlopen. The tables are private memory: a fork child goes on with them.
 */
#ifndef UNSPIN_SITE_H
#define UNSPIN_SITE_H

#include <stdint.h>

#include "frame.h"

#define SITE_FRAMES 8
#define SITE_PATHS 16
#define SITE_CALLERS 3 /* of the path, kept to be shown: CLASS_CALLERS */

struct config;

/* Once, from the constructor. Before it, sites are known by their address alone. */
void site_configure(const struct config *config);

struct site {
	uint64_t address;
	uint64_t path;
	uint64_t caller[SITE_CALLERS]; /* 0: none, or not known */
};

/*
 * The site of the call whose wrapper has this frame (__builtin_frame_address(0)), with the return
 * address `address`. Frames of this library in between are left out.
 */
struct site site_look(const void *wrapper_frame, const void *address);

/* The path, or 0 when the address has SITE_PATHS others or no place is left. */
uint64_t site_admit(uint64_t address, uint64_t path);

#endif
