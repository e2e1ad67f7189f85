/* SPDX-License-Identifier: MIT */
/*
 * What is done inside the host's call about a write that has just stalled: nothing, one more try
 * (its buffer has been raised), a bounded spin, or a wait.
 *
 * Waiting is for hosts that would spin anyway, told by what this class and this thread did after
 * earlier stalls (policy/class.h). Time waited is bounded per call and per turn of a thread's
 * loop; when the bound ends it, the host has its stall as natively and the statistics say so.
 */
#ifndef UNSPIN_TREAT_H
#define UNSPIN_TREAT_H

#include "config.h"
#include "fdtable.h"
#include "request.h"
#include "retry.h"

enum treat_how { TREAT_NOT, TREAT_ONCE, TREAT_SPIN, TREAT_BLOCK };

struct treat {
	enum treat_how how;
	uint64_t max_ns;
	struct retry_key key;
};

void treat_configure(const struct config *config);

/* May a stalled write be gone on with in this process at all? */
int treat_may_act(void);

/* Would a stall of the record be waited for? Then a larger buffer is tried first. */
int treat_would_block(const struct fdrec *rec);

/*
 * Chooses, and notes the choice in the statistics. The record's lock is held. has_grown: the
 * buffer has just been raised.
 */
struct treat treat_choose(const struct request *request, struct fdrec *rec, int has_grown);

/* Does it; updates what the host is to see. The record's lock is NOT held. */
void treat_go_on(const struct request *request, struct fdrec *rec, const struct treat *treat,
		 ssize_t *returned, int *error);

#endif
