/* SPDX-License-Identifier: MIT */
/* Output: the host's own call first, unchanged, then what it meant. */
#include "hooks.h"

#include <limits.h>
#include <sys/sendfile.h>

#include "observe.h"

/*
 * Bytes a vector asks for. Only read when the kernel has read it too (it returned bytes or
 * EAGAIN): the host may pass garbage and expect EFAULT.
 */
static size_t vector_bytes(const struct iovec *iov, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n && i < IOV_MAX; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

static int kernel_read_it(ssize_t returned)
{
	return returned >= 0 || errno == EAGAIN || errno == EWOULDBLOCK;
}

static int is_counted(int fd)
{
	const struct fdrec *rec = fdtable_find(fd);
	uint32_t tag = rec ? load_relaxed(&rec->tag) : 0;

	return tag != fd_tags.not_socket && tag != fd_tags.other_socket;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	ssize_t r = real.write(fd, buf, n);

	observe_write(fd, r, n, 0, FROM_MEMORY);
	return r;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	ssize_t r = real.writev(fd, iov, n);

	if (is_counted(fd))
		observe_write(fd, r, kernel_read_it(r) ? vector_bytes(iov, (size_t)n) : 0, 0,
			      FROM_MEMORY);
	return r;
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	ssize_t r = real.send(fd, buf, n, flags);

	observe_is_socket(fd, r);
	observe_write(fd, r, n, flags, FROM_MEMORY);
	return r;
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
	       socklen_t to_bytes)
{
	ssize_t r = real.sendto(fd, buf, n, flags, to, to_bytes);

	observe_is_socket(fd, r);
	observe_write(fd, r, n, flags, FROM_MEMORY);
	return r;
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t r = real.sendmsg(fd, msg, flags);

	observe_is_socket(fd, r);
	if (is_counted(fd))
		observe_write(fd, r,
			      kernel_read_it(r) ? vector_bytes(msg->msg_iov, msg->msg_iovlen) : 0,
			      flags, FROM_MEMORY);
	return r;
}

/* One call, however many messages: the messages sent carry their bytes in msg_len. */
int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	int r = real.sendmmsg(fd, msgs, n, flags);
	size_t sent = 0, asked = 0;

	observe_is_socket(fd, r);
	if (!is_counted(fd))
		return r;
	for (int i = 0; i < r; i++) {
		sent += msgs[i].msg_len;
		asked += vector_bytes(msgs[i].msg_hdr.msg_iov, msgs[i].msg_hdr.msg_iovlen);
	}
	if (r >= 0 && (unsigned)r < n && asked == sent)
		asked++; /* a message was left over: the call stalled between two messages */
	observe_write(fd, r < 0 ? -1 : (ssize_t)sent, asked, flags, FROM_MEMORY);
	return r;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	ssize_t r = real.sendfile(out, in, offset, n);

	observe_write(out, r, n, 0, FROM_FILE);
	return r;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t n)
{
	ssize_t r = real.sendfile64(out, in, offset, n);

	observe_write(out, r, n, 0, FROM_FILE);
	return r;
}

/* Moves from a socket into a pipe or from a pipe into a socket: counted on the socket's side. */
ssize_t splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t n, unsigned flags)
{
	ssize_t r = real.splice(in, in_off, out, out_off, n, flags);

	observe_write(out, r, n, 0, FROM_FILE);
	observe_read(in, r);
	return r;
}

HOOK_ALIAS(write, __write);
HOOK_ALIAS(send, __send);
