/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1 /* memfd_create, O_PATH */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool file_is_same(const struct file_id *a, const struct file_id *b)
{
	return a->bytes == b->bytes && a->inode == b->inode && a->device == b->device &&
	       a->changed_ns == b->changed_ns;
}

/* Since Linux 5.6; glibc has no wrapper. Links inside the root are followed, those that lead out
 * of it (and those of /proc) are errors: no check of ours could be as free of races. O_NONBLOCK:
 * or a FIFO would hold us. */
static int open_beneath(int root_fd, const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int file_open_root(const char *directory)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int probe;

	if (fd < 0)
		return -errno;
	probe = open_beneath(fd, ".", O_RDONLY | O_DIRECTORY);
	close(probe < 0 ? fd : probe);
	return probe < 0 ? probe : fd;
}

static void id_from(const struct stat *st, struct file_id *ret_id)
{
	*ret_id = (struct file_id){ .bytes = (size_t)st->st_size,
				    .device = st->st_dev,
				    .inode = st->st_ino,
				    .changed_ns = st->st_ctim.tv_sec * 1000000000L +
						  st->st_ctim.tv_nsec };
}

int file_look(int root_fd, const char *path, struct file_id *ret_id)
{
	struct stat st;

	if (fstatat(root_fd, path, &st, AT_NO_AUTOMOUNT) < 0)
		return -errno;
	id_from(&st, ret_id);
	return 0;
}

static int scarce_or_missing(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM ? err : -ENOENT;
}

int file_open(int root_fd, const char *path, struct file_id *ret_id)
{
	struct stat st;
	int fd = open_beneath(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return scarce_or_missing(fd);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ENOENT;
	}
	id_from(&st, ret_id);
	return fd;
}

int file_read(int fd, char *to, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		ssize_t n = pread(fd, to + at, bytes - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

int file_from_memory(const char *from, size_t bytes)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < bytes;) {
		ssize_t n = write(fd, from + at, bytes - at);
		int err = n < 0 ? errno : 0;

		if (err && err != EINTR) {
			close(fd);
			return -err;
		}
		at += err ? 0 : (size_t)n;
	}
	return fd;
}
