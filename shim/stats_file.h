/* SPDX-License-Identifier: MIT */
/*
 * The statistics file on disk: where it goes, how it is sized and mapped. Used by stats.c alone.
 * Every step may fail (read-only, full or foreign file system, limits, chroot): then the same
 * pages are private memory and nobody is told.
 */
#ifndef UNSPIN_STATS_FILE_H
#define UNSPIN_STATS_FILE_H

#include "config.h"

/* Remembers candidates for the directory. The environment is read once, here. */
void stats_file_configure(const struct config *config, char *const *environment);

/*
 * Maps `bytes` zeroed bytes, shared with a file named after the process if that can be done, at
 * `address` if that is not NULL (replacing what is mapped there). Returns the address or NULL.
 * *ret_dir is the directory, NULL when the memory is private. No descriptor stays open.
 */
void *stats_file_map(void *address, uint64_t bytes, const char **ret_dir);

/* Reads a small file such as /proc/self/stat into ret (room bytes, zero-ended). */
long stats_file_read(const char *path, char *ret, unsigned room);

#endif
