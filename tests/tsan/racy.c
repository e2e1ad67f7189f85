/* SPDX-License-Identifier: MIT */
/* The naive library: it counts writes in a plain variable. Its races must be found. */
#include <sys/syscall.h>
#include <unistd.h>

unsigned long writes;

ssize_t write(int fd, const void *data, size_t bytes)
{
	writes++;
	return syscall(SYS_write, fd, data, bytes);
}
