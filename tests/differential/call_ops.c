/* SPDX-License-Identifier: MIT */
/* The output calls themselves. Each sets errno to an odd value right before, keeps it right after.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "pattern.h"

#define MAX_SEGMENTS 1024
#define MAX_MESSAGES 4

/* glibc's second names, which programs may bind to as well. */
extern ssize_t __write(int fd, const void *buf, size_t n);
extern ssize_t __send(int fd, const void *buf, size_t n, int flags);

#define CALL(o, expression)                                                                        \
	({                                                                                         \
		ssize_t result_;                                                                   \
		errno = (o)->odd;                                                                  \
		result_ = (expression);                                                            \
		(o)->error = errno;                                                                \
		result_;                                                                           \
	})

static __thread struct iovec segments[MAX_SEGMENTS];

/* Cuts the bytes into 1 … 1024 segments, some of length zero; returns how many. */
static int cut(const struct out *o, struct iovec *iov, int max)
{
	uint64_t at = chance(o->draw, 0x435554);
	int n = max > 8 && chance_below(chance_next(&at), 6) ? 8 : max;
	size_t done = 0;

	n = (int)chance_range(chance_next(&at), 1, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		size_t left = o->n - done, piece = left;

		if (i + 1 < n)
			piece = chance_below(chance_next(&at), 4)
					? chance_next(&at) % (2 * left / (size_t)(n - i) + 1)
					: 0;
		iov[i] = (struct iovec){ (void *)(o->data + done), piece };
		done += piece;
	}
	return n;
}

static uint64_t digest(const void *data, size_t n)
{
	const uint8_t *byte = data;
	uint64_t sum = n;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t word;

		memcpy(&word, byte + i, 8);
		sum = chance(sum, word);
	}
	return sum;
}

/* The library may read the host's vectors and headers, never write them. */
static void must_be_same(const struct out *o, const char *what, uint64_t before, const void *data,
			 size_t n)
{
	if (digest(data, n) != before)
		violate("changed", "connection %u: the host's %s", o->conn->plan->id, what);
}

static ssize_t run_write(struct out *o)
{
	return CALL(o, write(o->fd, o->data, o->n));
}

static ssize_t run_write_alias(struct out *o)
{
	return CALL(o, __write(o->fd, o->data, o->n));
}

static ssize_t run_writev(struct out *o)
{
	int n = cut(o, segments, MAX_SEGMENTS);
	uint64_t before = digest(segments, (size_t)n * sizeof(*segments));
	ssize_t r = CALL(o, writev(o->fd, segments, n));

	must_be_same(o, "iovec", before, segments, (size_t)n * sizeof(*segments));
	return r;
}

static ssize_t run_send(struct out *o)
{
	return CALL(o, send(o->fd, o->data, o->n, o->flags));
}

static ssize_t run_send_alias(struct out *o)
{
	return CALL(o, __send(o->fd, o->data, o->n, o->flags));
}

static ssize_t run_sendto(struct out *o)
{
	return CALL(o, sendto(o->fd, o->data, o->n, o->flags, NULL, 0));
}

static ssize_t run_sendmsg(struct out *o)
{
	int n = cut(o, segments, MAX_SEGMENTS);
	struct msghdr m = { .msg_iov = segments, .msg_iovlen = (size_t)n };
	uint64_t before = digest(segments, (size_t)n * sizeof(*segments)),
		 head = digest(&m, sizeof(m));
	ssize_t r = CALL(o, sendmsg(o->fd, &m, o->flags));

	must_be_same(o, "iovec", before, segments, (size_t)n * sizeof(*segments));
	must_be_same(o, "msghdr", head, &m, sizeof(m));
	return r;
}

/* The messages sent must all be whole but the last: a stream has no holes. */
static ssize_t run_sendmmsg(struct out *o)
{
	struct mmsghdr m[MAX_MESSAGES] = { 0 };
	struct iovec iov[MAX_MESSAGES];
	int n = cut(o, iov, MAX_MESSAGES), empty = 0;
	ssize_t bytes = 0, r;

	/* An empty message in front would go, the next stall, and the result be success with 0
	 * bytes. */
	while (empty + 1 < n && !iov[empty].iov_len)
		empty++;
	n -= empty;
	memmove(iov, iov + empty, (size_t)n * sizeof(*iov));
	for (int i = 0; i < n; i++) {
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
		m[i].msg_len = 77;
	}
	o->has_steps |= n > 1;
	r = CALL(o, sendmmsg(o->fd, m, (unsigned)n, o->flags));
	if (r < 0)
		return r;
	for (int i = 0; i < r; i++) {
		bytes += m[i].msg_len;
		if (m[i].msg_len > iov[i].iov_len || (i + 1 < r && m[i].msg_len != iov[i].iov_len))
			violate("sendmmsg", "connection %u: message %d of %zd: %u of %zu",
				o->conn->plan->id, i, r, m[i].msg_len, iov[i].iov_len);
	}
	if (r > n || r == 0)
		violate("sendmmsg", "connection %u: %zd messages of %d", o->conn->plan->id, r, n);
	if (r < n)
		o->conn->may_be_eaten |= o->conn->peer->leaving; /* the reset, by a later message */
	return bytes;
}

static ssize_t run_sendfile(struct out *o)
{
	size_t room;
	off_t start = pattern_file(o->conn->plan->id, o->conn->pos, &room), at = start;
	ssize_t r;

	if (o->n > room) { /* asks beyond the file's end now and then */
		o->may_be_short = 1;
		if (o->draw & 1)
			o->n = room;
	}
	r = o->draw & 2 ? CALL(o, sendfile(o->fd, RING_FD, &at, o->n))
			: CALL(o, sendfile64(o->fd, RING_FD, &at, o->n));
	if (at != start + (r > 0 ? r : 0))
		violate("sendfile-offset", "connection %u: %lld after %zd bytes from %lld",
			o->conn->plan->id, (long long)at, r, (long long)start);
	return r;
}

/* Without an offset the file's own position moves. */
static ssize_t run_sendfile_position(struct out *o)
{
	size_t room;
	off_t start = pattern_file(o->conn->plan->id, o->conn->pos, &room), at;
	ssize_t r;

	if (!self.file)
		self.file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd/901",
					 O_RDONLY | O_CLOEXEC);
	if (self.file <= 0)
		return run_sendfile(o);
	if (o->n > room)
		o->n = room;
	syscall(SYS_lseek, self.file, start, SEEK_SET);
	r = CALL(o, sendfile(o->fd, self.file, NULL, o->n));
	at = syscall(SYS_lseek, self.file, 0, SEEK_CUR);
	if (at != start + (r > 0 ? r : 0))
		violate("sendfile-offset", "connection %u: position %lld after %zd bytes from %lld",
			o->conn->plan->id, (long long)at, r, (long long)start);
	return r;
}

static ssize_t run_splice(struct out *o)
{
	static const unsigned forms[] = { SPLICE_F_NONBLOCK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK, 0,
					  SPLICE_F_MOVE };
	char rest[65536];
	ssize_t filled, r;

	if (!self.pipe[1] && syscall(SYS_pipe2, self.pipe, O_NONBLOCK | O_CLOEXEC))
		return run_write(o);
	filled = syscall(SYS_write, self.pipe[1], o->data, o->n < 60000 ? o->n : 60000);
	if (filled <= 0)
		return run_write(o);
	o->n = (size_t)filled;
	r = CALL(o, splice(self.pipe[0], NULL, o->fd, NULL, o->n, forms[o->draw & 3]));
	while (syscall(SYS_read, self.pipe[0], rest, sizeof(rest)) > 0)
		;
	return r;
}

void call_thread_end(void)
{
	if (self.pipe[1]) {
		syscall(SYS_close, self.pipe[0]);
		syscall(SYS_close, self.pipe[1]);
	}
	if (self.file > 0)
		syscall(SYS_close, self.file);
	self.pipe[0] = self.pipe[1] = self.file = 0;
}

static const struct out_op ops[] = {
	{ "write", run_write, 0, 0 },	    { "__write", run_write_alias, 0, 0 },
	{ "writev", run_writev, 0, 0 },	    { "send", run_send, 1, 0 },
	{ "__send", run_send_alias, 1, 0 }, { "sendto", run_sendto, 1, 0 },
	{ "sendmsg", run_sendmsg, 1, 0 },   { "sendmmsg", run_sendmmsg, 1, 0 },
	{ "sendfile", run_sendfile, 1, 1 }, { "sendfile(NULL)", run_sendfile_position, 1, 1 },
	{ "splice", run_splice, 1, 1 },
};

const struct out_op *call_pick_op(const struct conn *c, uint64_t draw)
{
	uint32_t count = sizeof(ops) / sizeof(*ops);
	const struct out_op *op =
		&ops[chance_below(c->plan->uses_one_op ? c->plan->draw : draw, count)];

	if (op->needs_socket && c->plan->kind == KIND_PIPE)
		return &ops[draw & 1 ? 0 : 2];
	return op;
}
