/* SPDX-License-Identifier: MIT */
/*
 * The files below --root: opened so that no name and no symbolic link leads out of it, and known
 * by what changes when their contents do (as far as the clock of files, of some milliseconds, can
 * tell one write from the next).
 */
#ifndef REACTOR_FILE_H
#define REACTOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which contents: equal as long as nobody wrote. Of a generated body only bytes is not 0. */
struct file_id {
	size_t bytes;
	uint64_t device, inode;
	int64_t changed_ns; /* of ctime, which nobody can set back */
};

bool file_is_same(const struct file_id *a, const struct file_id *b);

/* The directory, checked for being able to do what file_open needs. A descriptor or -errno. */
int file_open_root(const char *directory);

/* What the path is now, without opening it. 0 or -errno. Only to look contents up by that were
 * once read through file_open: links are followed wherever they lead. */
int file_look(int root_fd, const char *path, struct file_id *ret_id);

/* Open a regular file. A descriptor, or -errno: -ENOENT for all there is no such file to us. */
int file_open(int root_fd, const char *path, struct file_id *ret_id);

/* Read all bytes from the start. 0 or -errno: -EIO where there are fewer by now. */
int file_read(int fd, char *to, size_t bytes);

/* The bytes in a file without a name. A descriptor or -errno. */
int file_from_memory(const char *from, size_t bytes);

#endif
