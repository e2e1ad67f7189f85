/* SPDX-License-Identifier: MIT */
/* Where libunspin.so is. */
#ifndef UNSPIN_LIBRARY_H
#define UNSPIN_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#define LIBRARY_NAME "libunspin.so"

/*
 * UNSPIN_LIBRARY if set, else beside this command, else ../lib/unspin and ../lib from there
 * (build tree and installation). Writes an absolute path, true when the file exists; otherwise
 * ret_path says where was looked.
 */
bool library_find(char *ret_path, size_t room);

/* LD_PRELOAD separates names by spaces and colons and knows no escape. */
bool library_can_be_preloaded(const char *path);

#endif
