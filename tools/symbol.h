/* SPDX-License-Identifier: MIT */
/*
 * Addresses of a running process as names, by elfutils (libdw), which is loaded when it is there:
 * `unspin` works without it, with numbers. Built without <elfutils/libdwfl.h>: always numbers.
 */
#ifndef UNSPIN_SYMBOL_H
#define UNSPIN_SYMBOL_H

#include "read.h"

enum { SYMBOL_MAX = 64 };

/*
 * The function a return address lies in; without symbols "file+0x1234"; where neither is known
 * (the process has ended, or is not ours to look at) the number.
 */
void symbol_name(const struct stats_view *view, uint64_t address, char ret[SYMBOL_MAX]);

/* The same in a static text, valid until the next call. */
const char *symbol_text(const struct stats_view *view, uint64_t address);

/* Where a class's writes come from: "function < its caller < ...". Valid until the next call. */
const char *symbol_path(const struct stats_view *view, const struct class_row *row);

#endif
