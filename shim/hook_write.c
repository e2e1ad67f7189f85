/* SPDX-License-Identifier: MIT */
/* Output: the host's own call first, unchanged, then what it meant. */
#include "hooks.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "observe.h"
#include "sys.h"

/*
 * Bytes a vector asks for. It is read only when the kernel has read it too (the call returned
 * bytes or EAGAIN, so n is within IOV_MAX): the host may pass garbage and expect EFAULT.
 */
static inline size_t vector_bytes(ssize_t returned, const struct iovec *iov, size_t n)
{
	const struct iovec *end = iov + n;
	size_t bytes = 0;

	if (unlikely(returned < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
		return 0;
	for (; iov != end; iov++)
		bytes += iov->iov_len;
	return bytes;
}

COUNTED ssize_t counted_write(int fd, const void *buf, size_t n, struct fdrec *rec)
{
	ssize_t r = real.write(fd, buf, n);

	observe_write(fd, rec, r, n, 0, FROM_MEMORY);
	return r;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_ignored(rec))
		return real.write(fd, buf, n);
	return counted_write(fd, buf, n, rec);
}

COUNTED ssize_t counted_writev(int fd, const struct iovec *iov, int n, struct fdrec *rec)
{
	ssize_t r = real.writev(fd, iov, n);

	observe_write(fd, rec, r, vector_bytes(r, iov, (size_t)n), 0, FROM_MEMORY);
	return r;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_ignored(rec))
		return real.writev(fd, iov, n);
	return counted_writev(fd, iov, n, rec);
}

COUNTED ssize_t counted_send(int fd, const void *buf, size_t n, int flags, struct fdrec *rec)
{
	ssize_t r = real.send(fd, buf, n, flags);

	observe_write(fd, rec, r, n, flags, FROM_SEND);
	return r;
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.send(fd, buf, n, flags);
	return counted_send(fd, buf, n, flags, rec);
}

COUNTED ssize_t counted_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t to_bytes, struct fdrec *rec)
{
	ssize_t r = real.sendto(fd, buf, n, flags, to, to_bytes);

	observe_write(fd, rec, r, n, flags, FROM_SEND);
	return r;
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t to_bytes)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.sendto(fd, buf, n, flags, to, to_bytes);
	return counted_sendto(fd, buf, n, flags, to, to_bytes, rec);
}

COUNTED ssize_t counted_sendmsg(int fd, const struct msghdr *msg, int flags, struct fdrec *rec)
{
	ssize_t r = real.sendmsg(fd, msg, flags);

	/* The header itself is garbage where the kernel says EFAULT: look only after it has. */
	observe_write(fd, rec, r,
		      r >= 0 || errno == EAGAIN
			      ? vector_bytes(r, msg->msg_iov, msg->msg_iovlen) : 0,
		      flags, FROM_SEND);
	return r;
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.sendmsg(fd, msg, flags);
	return counted_sendmsg(fd, msg, flags, rec);
}

/* One call, however many messages: the messages sent carry their bytes in msg_len. */
COUNTED int counted_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct fdrec *rec)
{
	size_t sent = 0, asked = 0;
	int r;

	r = real.sendmmsg(fd, msgs, n, flags);
	for (int i = 0; i < r; i++) {
		sent += msgs[i].msg_len;
		asked += vector_bytes(r, msgs[i].msg_hdr.msg_iov, msgs[i].msg_hdr.msg_iovlen);
	}
	if (r >= 0 && (unsigned)r < n && asked == sent)
		asked++; /* a message was left over: the call stalled between two messages */
	observe_write(fd, rec, r < 0 ? -1 : (ssize_t)sent, asked, flags, FROM_SEND);
	return r;
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.sendmmsg(fd, msgs, n, flags);
	return counted_sendmmsg(fd, msgs, n, flags, rec);
}

/*
 * What a sendfile that sent less than asked could have sent: no more, where the file has ended
 * (or is no regular file: not known). Not told by asking whether the socket is writable: it may
 * have drained since (seen with nginx, 1 stall of 100). position: after the call; -1: the file's.
 */
static COLD size_t sendfile_asked(int in, int64_t position, ssize_t returned, size_t n)
{
	struct stat st;

	if (sys_call(SYS_newfstatat, in, "", &st, AT_EMPTY_PATH, 0, 0) < 0 || !S_ISREG(st.st_mode))
		return (size_t)returned;
	if (position < 0)
		position = sys_call(SYS_lseek, in, 0, SEEK_CUR, 0, 0, 0);
	return position >= st.st_size ? (size_t)returned : n;
}

COUNTED ssize_t counted_sendfile(int out, int in, off_t *offset, size_t n, struct fdrec *rec)
{
	ssize_t r = real.sendfile(out, in, offset, n);

	if (unlikely(r >= 0 && (size_t)r < n))
		n = sendfile_asked(in, offset ? *offset : -1, r, n);
	observe_write(out, rec, r, n, 0, FROM_MEMORY);
	return r;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	struct fdrec *rec = fdtable_find(out);

	if (fdrec_is_ignored(rec))
		return real.sendfile(out, in, offset, n);
	return counted_sendfile(out, in, offset, n, rec);
}

COUNTED ssize_t counted_sendfile64(int out, int in, off64_t *offset, size_t n, struct fdrec *rec)
{
	ssize_t r = real.sendfile64(out, in, offset, n);

	if (unlikely(r >= 0 && (size_t)r < n))
		n = sendfile_asked(in, offset ? *offset : -1, r, n);
	observe_write(out, rec, r, n, 0, FROM_MEMORY);
	return r;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t n)
{
	struct fdrec *rec = fdtable_find(out);

	if (fdrec_is_ignored(rec))
		return real.sendfile64(out, in, offset, n);
	return counted_sendfile64(out, in, offset, n, rec);
}

/* Moves from a socket into a pipe or from a pipe into a socket: counted on the socket's side. */
ssize_t splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t n, unsigned flags)
{
	struct fdrec *from = fdtable_find(in), *to = fdtable_find(out);
	ssize_t r = real.splice(in, in_off, out, out_off, n, flags);

	if (!fdrec_is_ignored(to))
		observe_write(out, to, r, n, 0, FROM_PIPE);
	if (!fdrec_is_ignored(from))
		observe_read(in, from, r, 0);
	return r;
}

HOOK_ALIAS(write, __write);
HOOK_ALIAS(send, __send);
