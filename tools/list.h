/* SPDX-License-Identifier: MIT */
/* All processes that left a statistics file. Each returns an exit code of unspin. */
#ifndef UNSPIN_LIST_H
#define UNSPIN_LIST_H

#include <stdbool.h>
#include <stdint.h>

/* A table with one line per process; `all` also shows ended ones that did nothing. */
int list_text(uint64_t now_ns, bool all);

/* A JSON array with everything about every readable process. */
int list_json(uint64_t now_ns);

/* Removes the files of processes that have ended and says how many. */
int list_clean(void);

/* Says on stderr why there may be no statistics of this process. */
void list_explain_missing(int pid);

#endif
