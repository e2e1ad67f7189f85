/* SPDX-License-Identifier: MIT */
/* Input: shows turnarounds (a response is complete) and events that led to nothing. */
#include "hooks.h"

#include "observe.h"

COUNTED ssize_t counted_read(int fd, void *buf, size_t n, struct fdrec *rec)
{
	ssize_t r = real.read(fd, buf, n);

	return observe_read(fd, rec, r, 0);
}

ssize_t read(int fd, void *buf, size_t n)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_ignored(rec))
		return real.read(fd, buf, n);
	return counted_read(fd, buf, n, rec);
}

COUNTED ssize_t counted_readv(int fd, const struct iovec *iov, int n, struct fdrec *rec)
{
	ssize_t r = real.readv(fd, iov, n);

	return observe_read(fd, rec, r, 0);
}

ssize_t readv(int fd, const struct iovec *iov, int n)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_ignored(rec))
		return real.readv(fd, iov, n);
	return counted_readv(fd, iov, n, rec);
}

COUNTED ssize_t counted_recv(int fd, void *buf, size_t n, int flags, struct fdrec *rec)
{
	ssize_t r = real.recv(fd, buf, n, flags);

	return observe_read(fd, rec, r, 1);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.recv(fd, buf, n, flags);
	return counted_recv(fd, buf, n, flags, rec);
}

COUNTED ssize_t counted_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
				 socklen_t *from_bytes, struct fdrec *rec)
{
	ssize_t r = real.recvfrom(fd, buf, n, flags, from, from_bytes);

	return observe_read(fd, rec, r, 1);
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
		 socklen_t *from_bytes)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.recvfrom(fd, buf, n, flags, from, from_bytes);
	return counted_recvfrom(fd, buf, n, flags, from, from_bytes, rec);
}

COUNTED ssize_t counted_recvmsg(int fd, struct msghdr *msg, int flags, struct fdrec *rec)
{
	ssize_t r = real.recvmsg(fd, msg, flags);

	return observe_read(fd, rec, r, 1);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.recvmsg(fd, msg, flags);
	return counted_recvmsg(fd, msg, flags, rec);
}

COUNTED int counted_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags,
			     struct timespec *timeout, struct fdrec *rec)
{
	ssize_t bytes = 0;
	int r;

	r = real.recvmmsg(fd, msgs, n, flags, timeout);
	for (int i = 0; i < r; i++)
		bytes += msgs[i].msg_len;
	observe_read(fd, rec, r < 0 ? -1 : bytes, 1);
	return r;
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.recvmmsg(fd, msgs, n, flags, timeout);
	return counted_recvmmsg(fd, msgs, n, flags, timeout, rec);
}

COUNTED ssize_t counted___read_chk(int fd, void *buf, size_t n, size_t room, struct fdrec *rec)
{
	ssize_t r = real.__read_chk(fd, buf, n, room);

	return observe_read(fd, rec, r, 0);
}

ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_ignored(rec))
		return real.__read_chk(fd, buf, n, room);
	return counted___read_chk(fd, buf, n, room, rec);
}

COUNTED ssize_t counted___recv_chk(int fd, void *buf, size_t n, size_t room, int flags,
				   struct fdrec *rec)
{
	ssize_t r = real.__recv_chk(fd, buf, n, room, flags);

	return observe_read(fd, rec, r, 1);
}

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.__recv_chk(fd, buf, n, room, flags);
	return counted___recv_chk(fd, buf, n, room, flags, rec);
}

COUNTED ssize_t counted___recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
				       struct sockaddr *from, socklen_t *from_bytes,
				       struct fdrec *rec)
{
	ssize_t r = real.__recvfrom_chk(fd, buf, n, room, flags, from, from_bytes);

	return observe_read(fd, rec, r, 1);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
		       struct sockaddr *from, socklen_t *from_bytes)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.__recvfrom_chk(fd, buf, n, room, flags, from, from_bytes);
	return counted___recvfrom_chk(fd, buf, n, room, flags, from, from_bytes, rec);
}

HOOK_ALIAS(read, __read);
