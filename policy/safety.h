/* SPDX-License-Identifier: MIT */
/* When and how far we may act: budgets. Pure arithmetic; the shim keeps the running sums. */
#ifndef UNSPIN_SAFETY_H
#define UNSPIN_SAFETY_H

#include <stdint.h>

/*
 * No socket is given more than this part of what is left of the budget at a time, so that there is
 * something left for whoever comes next: large demands are refused long before small ones.
 */
#define SAFETY_SHARE 8

/*
 * How large a buffer may become, with `left` bytes of the process's budget unspent: `to`, or as
 * much more than `from` as its share of the budget allows, or 0 when that is not even half of what
 * was wanted (a slightly larger buffer stalls just the same and spends what another could use).
 */
uint64_t safety_grant(uint64_t from, uint64_t to, uint64_t left);

#endif
