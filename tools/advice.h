/* SPDX-License-Identifier: MIT */
/*
 * From counters to words: what was wrong with this process's writes and wake-ups, what the shim
 * did about it, and what its owner can do. Pure; every number in the sentences is in the file.
 */
#ifndef UNSPIN_ADVICE_H
#define UNSPIN_ADVICE_H

#include "read.h"

/* Sentences separated by newlines, never empty. The caller frees. */
char *advice_text(const struct stats_view *view);

#endif
