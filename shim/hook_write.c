/* SPDX-License-Identifier: MIT */
/*
 * Output. Each wrapper has three parts, so that each path is as short as it can be:
 *
 *	name()		nothing to see: a look-up and a jump into the real function
 *	counted_name()	the real call; a full write on a quiet socket is counted, and that is all
 *	slow_name()	looks before the call where that may help, and at everything else after it
 */
#include "hooks.h"

#include <sys/sendfile.h>

#include "entry.h"
#include "observe.h"
#include "retry.h"

#define UNPACK(...) __VA_ARGS__

/*
 * Where the host called from: each part reaches the next by a jump, so that the return address is
 * still the host's. (Where the compiler makes a call instead, sendto's seven arguments, site.c goes
 * on from there; where it cannot, it is one place for all callers, which only makes classes
 * coarser.)
 */
#define CALLED_FROM .site = __builtin_return_address(0), .frame = __builtin_frame_address(0)

/*
 * One send-side wrapper.
 *	is_ignored	what lets the call pass by: for calls that files accept too, any record of
 *			something else than a stream socket; for the others, of another socket
 *	before		bytes asked, as far as they may be known before the kernel has looked
 *	after		bytes asked, once it has (r is its result)
 *	...		the other fields of struct request
 */
#define SEND_SIDE(ret, name, params, args, number, is_ignored, before, after, ...)              \
	static COLD ret slow_##name(UNPACK params, ssize_t result, int is_before)               \
	{                                                                                       \
		struct request q = { .fd = number, CALLED_FROM, __VA_ARGS__ };                  \
		int error;                                                                      \
		ret r = (ret)result;                                                            \
                                                                                                \
		if (is_before) {                                                                \
			q.asked = before;                                                       \
			q.knows_errno = 1;                                                      \
			q.errno_before = errno;                                                 \
			error = ahead_look(&q);                                                 \
			if (error) {                                                            \
				errno = error;                                                  \
				return -1;                                                      \
			}                                                                       \
			observe_begin(fdtable_find(number));                                    \
			r = real.name args;                                                     \
		}                                                                               \
		q.asked = after;                                                                \
		return (ret)observe_write_slow(&q, r);                                          \
	}                                                                                       \
                                                                                                \
	COUNTED ret counted_##name(UNPACK params, struct fdrec *rec)                            \
	{                                                                                       \
		ret r;                                                                          \
                                                                                                \
		if (ahead_wanted(rec, before))                                                  \
			return slow_##name(UNPACK args, 0, 1);                                  \
		observe_begin(rec);                                                             \
		r = real.name args;                                                             \
		if (likely(observe_full_write(rec, r, after)))                                  \
			return r;                                                               \
		return slow_##name(UNPACK args, r, 0);                                          \
	}                                                                                       \
                                                                                                \
	ret name params                                                                         \
	{                                                                                       \
		struct fdrec *rec = fdtable_find(number);                                       \
                                                                                                \
		if (is_ignored(rec))                                                            \
			return real.name args;                                                  \
		return counted_##name(UNPACK args, rec);                                        \
	}

/* A vector's length is not known before the kernel has read it: enough to look at fresh sockets. */
#define VECTOR_BEFORE (AHEAD_FRESH_ROOM + 1)

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

/* The header itself is garbage where the kernel says EFAULT: the same caution. */
static inline size_t message_bytes(ssize_t returned, const struct msghdr *msg)
{
	if (unlikely(returned < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
		return 0;
	return vector_bytes(returned, msg->msg_iov, msg->msg_iovlen);
}

/* Control data (descriptors, TLS record types) would be sent twice; an address is unusual. */
static enum request_kind message_kind(ssize_t returned, const struct msghdr *msg)
{
	if (returned < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return REQUEST_WHOLE;
	return msg->msg_controllen || msg->msg_name ? REQUEST_WHOLE : REQUEST_VECTOR;
}

SEND_SIDE(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n), fd, fdrec_is_ignored,
	  n, n, .kind = REQUEST_BUFFER, .data = buf, .count = n)

SEND_SIDE(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags), fd,
	  fdrec_is_other_socket, n, n, .kind = REQUEST_BUFFER, .data = buf, .count = n,
	  .flags = flags, .is_socket_call = 1)

SEND_SIDE(ssize_t, sendto,
	  (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
	   socklen_t to_bytes),
	  (fd, buf, n, flags, to, to_bytes), fd, fdrec_is_other_socket, n, n,
	  .kind = to ? REQUEST_WHOLE : REQUEST_BUFFER, .data = buf, .count = n, .flags = flags,
	  .is_socket_call = 1)

SEND_SIDE(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n), fd,
	  fdrec_is_ignored, VECTOR_BEFORE, vector_bytes(r, iov, (size_t)n),
	  .kind = REQUEST_VECTOR, .data = iov, .count = (size_t)n)

SEND_SIDE(ssize_t, sendfile, (int out, int in, off_t *offset, size_t n), (out, in, offset, n), out,
	  fdrec_is_ignored, n, n, .kind = REQUEST_FILE, .in = in, .offset = offset, .count = n)

SEND_SIDE(ssize_t, sendfile64, (int out, int in, off64_t *offset, size_t n), (out, in, offset, n),
	  out, fdrec_is_ignored, n, n, .kind = REQUEST_FILE, .in = in, .offset = offset, .count = n)

/* sendmsg by hand: what is in the header may be looked at only after the call. */
static COLD ssize_t slow_sendmsg(int fd, const struct msghdr *msg, int flags, ssize_t r,
				 int is_before)
{
	struct request q = { .fd = fd, CALLED_FROM, .kind = REQUEST_VECTOR, .flags = flags,
			     .is_socket_call = 1 };
	int error;

	if (is_before) {
		q.knows_errno = 1;
		q.errno_before = errno;
		error = ahead_look(&q);
		if (error) {
			errno = error;
			return -1;
		}
		observe_begin(fdtable_find(fd));
		r = real.sendmsg(fd, msg, flags);
	}
	q.kind = message_kind(r, msg);
	q.asked = message_bytes(r, msg);
	if (q.kind == REQUEST_VECTOR) {
		q.data = msg->msg_iov;
		q.count = msg->msg_iovlen;
	}
	return observe_write_slow(&q, r);
}

COUNTED ssize_t counted_sendmsg(int fd, const struct msghdr *msg, int flags, struct fdrec *rec)
{
	ssize_t r;

	if (ahead_wanted(rec, VECTOR_BEFORE))
		return slow_sendmsg(fd, msg, flags, 0, 1);
	observe_begin(rec);
	r = real.sendmsg(fd, msg, flags);
	if (likely(observe_full_write(rec, r, message_bytes(r, msg))))
		return r;
	return slow_sendmsg(fd, msg, flags, r, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct fdrec *rec = fdtable_find(fd);

	if (fdrec_is_other_socket(rec))
		return real.sendmsg(fd, msg, flags);
	return counted_sendmsg(fd, msg, flags, rec);
}

/*
 * The two calls below are not looked at before they are made, but their bytes too end another call's
 * retry, and an error that a retry met is theirs too. 1: errno is set, fail with it.
 */
static int before_whole(struct request *q)
{
	struct guard g = guard_enter();
	struct fdrec *rec = observe_stream_record(q->fd, 0);
	int error = 0;

	if (rec) {
		entry_begin(rec);
		error = unlikely(load_relaxed(&rec->owes_error)) ? ahead_take_error(q->fd) : 0;
		if (error)
			entry_leave(rec);
		else
			q->rec = rec;
	}
	if (error)
		g.saved_errno = error;
	guard_leave(g);
	return error != 0;
}

/* One call, however many messages: the messages sent carry their bytes in msg_len. */
int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	struct fdrec *rec = fdtable_find(fd);
	struct request q = { .fd = fd, .kind = REQUEST_WHOLE, .flags = flags, .is_socket_call = 1 };
	size_t sent = 0;
	int r;

	if (!fdrec_is_other_socket(rec) && before_whole(&q))
		return -1;
	r = real.sendmmsg(fd, msgs, n, flags);
	if (!q.rec && fdrec_is_other_socket(rec))
		return r;
	for (int i = 0; i < r; i++) {
		sent += msgs[i].msg_len;
		q.asked += vector_bytes(r, msgs[i].msg_hdr.msg_iov, msgs[i].msg_hdr.msg_iovlen);
	}
	if (r >= 0 && (unsigned)r < n && q.asked == sent)
		q.asked++; /* a message was left over: the call stalled between two messages */
	observe_write_slow(&q, r < 0 ? -1 : (ssize_t)sent);
	return r;
}

/* Moves from a socket into a pipe or from a pipe into a socket: counted on the socket's side.
 * Never gone on with: EAGAIN may come from an empty pipe. */
ssize_t splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t n, unsigned flags)
{
	struct fdrec *from = fdtable_find(in), *to = fdtable_find(out);
	struct request q = { .fd = out, .kind = REQUEST_WHOLE, .may_lack_input = 1, .asked = n };
	ssize_t r;

	if (!fdrec_is_ignored(to) && before_whole(&q))
		return -1;
	r = real.splice(in, in_off, out, out_off, n, flags);
	if (q.rec || !fdrec_is_ignored(to))
		observe_write_slow(&q, r);
	if (!fdrec_is_ignored(from))
		observe_read(in, from, r, 0);
	return r;
}

HOOK_ALIAS(write, __write);
HOOK_ALIAS(send, __send);
