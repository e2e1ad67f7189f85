/* SPDX-License-Identifier: MIT */
/* What only both sides together can tell, said on stdout line by line:
 *
 *	fact NAME VALUE       must be the same in every run of the seed, with and without the shim
 *	trace TEXT            likewise, in order
 *	violation RULE TEXT   a rule was broken
 *	note TEXT             for people
 */
#ifndef DIFFERENTIAL_JUDGE_H
#define DIFFERENTIAL_JUDGE_H

#include <sys/types.h>

#include "plan.h"

/* The host hangs: says where, on stdout. */
void judge_hang(const struct plan *plan, pid_t host);

/* After both sides have ended. status: of waitpid. out, err: what the host said. Returns the
 * number of violations. */
unsigned judge(const struct plan *plan, int status, int out, int err);

/* A number that changes as long as anything moves. */
unsigned long long judge_progress(const struct plan *plan);

#endif
