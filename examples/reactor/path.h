/* SPDX-License-Identifier: MIT */
/*
 * From the target of a request to the name of a file below --root. Pure.
 *
 * Refused is whatever could mean something else to somebody else: "." and ".." as segments, empty
 * segments, control characters, and slashes or NULs that hide behind %XX. What symbolic links make
 * of the name is not seen here; file.c has the kernel resolve it beneath the root.
 */
#ifndef REACTOR_PATH_H
#define REACTOR_PATH_H

#include "http.h"

#define PATH_INDEX     "index.html" /* what a target that ends in a slash means */
#define PATH_MAX_BYTES (HTTP_TARGET_MAX_BYTES + sizeof(PATH_INDEX))

/* The relative path of the target, %XX decoded and ?query dropped. 0, or -EINVAL: no such file can
 * be asked for. */
int path_from_target(const char *target, char ret_path[PATH_MAX_BYTES]);

#endif
