/* SPDX-License-Identifier: MIT */
/* One read of a connection's requests, by any of the calls there are. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "pattern.h"
#include "rules.h"

#define READ_MAX 512

/* What fortified programs call, and glibc's second name. */
extern ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
extern ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
			      struct sockaddr *from, socklen_t *from_bytes);
extern ssize_t __read(int fd, void *buf, size_t n);

struct in {
	int fd, flags;
	uint8_t *buf;
	size_t n;
};

static ssize_t run_read(struct in *i)
{
	return read(i->fd, i->buf, i->n);
}

static ssize_t run_read_alias(struct in *i)
{
	return __read(i->fd, i->buf, i->n);
}

static ssize_t run_read_chk(struct in *i)
{
	return __read_chk(i->fd, i->buf, i->n, READ_MAX);
}

static ssize_t run_readv(struct in *i)
{
	struct iovec iov[3] = { { i->buf, i->n / 2 },
				{ i->buf, 0 },
				{ i->buf + i->n / 2, i->n - i->n / 2 } };

	return readv(i->fd, iov, 3);
}

static ssize_t run_recv(struct in *i)
{
	return recv(i->fd, i->buf, i->n, i->flags);
}

static ssize_t run_recv_chk(struct in *i)
{
	return __recv_chk(i->fd, i->buf, i->n, READ_MAX, i->flags);
}

static ssize_t run_recvfrom(struct in *i)
{
	struct sockaddr_storage from;
	socklen_t bytes = sizeof(from);

	return recvfrom(i->fd, i->buf, i->n, i->flags, (struct sockaddr *)&from, &bytes);
}

static ssize_t run_recvfrom_chk(struct in *i)
{
	return __recvfrom_chk(i->fd, i->buf, i->n, READ_MAX, i->flags, NULL, NULL);
}

static ssize_t run_recvmsg(struct in *i)
{
	struct iovec iov = { i->buf, i->n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return recvmsg(i->fd, &m, i->flags);
}

static ssize_t run_recvmmsg(struct in *i)
{
	struct iovec iov = { i->buf, i->n };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	int r = recvmmsg(i->fd, &m, 1, i->flags, NULL);

	return r == 1 ? (ssize_t)m.msg_len : r;
}

static const struct {
	const char *name;
	ssize_t (*run)(struct in *i);
} ops[] = {
	{ "read", run_read },		{ "recv", run_recv },
	{ "recvfrom", run_recvfrom },	{ "readv", run_readv },
	{ "recvmsg", run_recvmsg },	{ "recvmmsg", run_recvmmsg },
	{ "__read", run_read_alias },	{ "__read_chk", run_read_chk },
	{ "__recv_chk", run_recv_chk }, { "__recvfrom_chk", run_recvfrom_chk },
};

static void check_bytes(struct conn *c, const char *op, const uint8_t *buf, ssize_t n)
{
	char text[160];
	ssize_t wrong = pattern_check(REQUESTS_OF(c->plan->id), c->got, buf, (size_t)n);

	if (wrong < 0)
		return;
	pattern_explain(REQUESTS_OF(c->plan->id), c->got + (uint64_t)wrong, buf + wrong,
			(size_t)(n - wrong), text, sizeof(text));
	violate("bytes-in", "%s on connection %u at %llu: %s", op, c->plan->id,
		(unsigned long long)c->got, text);
}

ssize_t call_in(struct conn *c, size_t n)
{
	uint64_t draw = chance(c->plan->draw ^ 0x494e, c->got);
	uint32_t pick = chance_below(c->plan->uses_one_op ? c->plan->draw : draw,
				     sizeof(ops) / sizeof(*ops));
	struct before b = rules_before(draw);
	uint8_t buf[READ_MAX];
	struct in in = { c->fd, 0, buf, n < READ_MAX ? n : READ_MAX };
	ssize_t r;
	int error;

	if (draw & 0x10000 && (draw & 0xe0000) == 0) {
		/* A look ahead takes nothing. */
		in.flags = MSG_PEEK | MSG_DONTWAIT;
		r = run_recv(&in);
		if (r > 0)
			check_bytes(c, "peek", buf, r);
		in.flags = 0;
	}
	errno = b.odd;
	r = ops[pick].run(&in);
	error = errno;
	rules_in(c, ops[pick].name, &b, in.n, r, error, c->is_nonblocking);
	if (r > 0) {
		check_bytes(c, ops[pick].name, buf, r);
		c->got += (uint64_t)r;
		c->side->got = c->got;
	}
	return r < 0 ? -error : r;
}
