/* SPDX-License-Identifier: MIT */
/*
 * A second preload library, as an allocator's or a tracer's would be: counts the sending calls on
 * stream sockets into the first 8 bytes of the file COUNTER_FILE, for all processes together.
 * Resolved in the constructor; every function goes on to the next library in the search order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned long nowhere, *count = &nowhere;

static void note(int fd)
{
	int saved = errno, type = 0;
	socklen_t bytes = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM)
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	errno = saved;
}

#define WRAP(name, fd, params, args)                \
	static ssize_t(*next_##name) params;        \
	ssize_t name params                         \
	{                                           \
		note(fd);                           \
		return next_##name args;            \
	}

WRAP(write, fd, (int fd, const void *b, size_t n), (fd, b, n))
WRAP(writev, fd, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(send, fd, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
WRAP(sendto, fd, (int fd, const void *b, size_t n, int f, const struct sockaddr *a, socklen_t l),
     (fd, b, n, f, a, l))
WRAP(sendmsg, fd, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(sendfile64, out, (int out, int in, off64_t *o, size_t n), (out, in, o, n))

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("COUNTER_FILE");
	int fd = path ? open(path, O_RDWR) : -1;
	void *mapped;

	next_write = dlsym(RTLD_NEXT, "write");
	next_writev = dlsym(RTLD_NEXT, "writev");
	next_send = dlsym(RTLD_NEXT, "send");
	next_sendto = dlsym(RTLD_NEXT, "sendto");
	next_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
	next_sendfile64 = dlsym(RTLD_NEXT, "sendfile64");
	mapped = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped != MAP_FAILED)
		count = mapped;
	close(fd);
}
