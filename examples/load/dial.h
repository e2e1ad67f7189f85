/* SPDX-License-Identifier: MIT */
/* Sockets of slowread: name to address, address to connection. Header only, like decode.h. */
#ifndef EXAMPLES_LOAD_DIAL_H
#define EXAMPLES_LOAD_DIAL_H

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* First address of a name; NULL after saying why not. Free it with freeaddrinfo. */
static inline struct addrinfo *dial_resolve(const char *host, long port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *address = NULL;
	char service[16];
	int ret;

	snprintf(service, sizeof(service), "%ld", port);
	ret = getaddrinfo(host, service, &hints, &address);
	if (ret)
		fprintf(stderr, "cannot resolve '%s': %s\n", host, gai_strerror(ret));
	return ret ? NULL : address;
}

/* Begin to connect a non-blocking socket. The descriptor or -errno. */
static inline int dial_start(const struct addrinfo *to, int rcvbuf_bytes)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	/* Before connect, because the window scale is settled by the SYN. */
	if (rcvbuf_bytes &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes, sizeof(rcvbuf_bytes)) < 0)
		ret = -errno;
	else if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)
		ret = -errno;
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* How dial_start ended, once the socket is writable. 0 or -errno. */
static inline int dial_result(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

/* As many descriptors as we may have; failing is no error, connecting will tell. */
static inline void dial_raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

#endif
