/* SPDX-License-Identifier: MIT */
/* Input: shows turnarounds (a response is complete) and events that led to nothing. */
#include "hooks.h"

#include "observe.h"

ssize_t read(int fd, void *buf, size_t n)
{
	ssize_t r = real.read(fd, buf, n);

	observe_read(fd, r);
	return r;
}

ssize_t readv(int fd, const struct iovec *iov, int n)
{
	ssize_t r = real.readv(fd, iov, n);

	observe_read(fd, r);
	return r;
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	ssize_t r = real.recv(fd, buf, n, flags);

	observe_is_socket(fd, r);
	observe_read(fd, r);
	return r;
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
		 socklen_t *from_bytes)
{
	ssize_t r = real.recvfrom(fd, buf, n, flags, from, from_bytes);

	observe_is_socket(fd, r);
	observe_read(fd, r);
	return r;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t r = real.recvmsg(fd, msg, flags);

	observe_is_socket(fd, r);
	observe_read(fd, r);
	return r;
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	int r = real.recvmmsg(fd, msgs, n, flags, timeout);
	ssize_t bytes = r < 0 ? -1 : 0;

	observe_is_socket(fd, r);
	for (int i = 0; i < r; i++)
		bytes += msgs[i].msg_len;
	observe_read(fd, bytes);
	return r;
}

ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
	ssize_t r = real.__read_chk(fd, buf, n, room);

	observe_read(fd, r);
	return r;
}

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	ssize_t r = real.__recv_chk(fd, buf, n, room, flags);

	observe_is_socket(fd, r);
	observe_read(fd, r);
	return r;
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags, struct sockaddr *from,
		       socklen_t *from_bytes)
{
	ssize_t r = real.__recvfrom_chk(fd, buf, n, room, flags, from, from_bytes);

	observe_is_socket(fd, r);
	observe_read(fd, r);
	return r;
}

HOOK_ALIAS(read, __read);
