/* SPDX-License-Identifier: MIT */
/* The send-side calls of the scenes, and a thread that makes one while the scene goes on. */
#ifndef UNSPIN_TESTS_TR_CALL_H
#define UNSPIN_TESTS_TR_CALL_H

#include "plain.h"
#include "tr.h"

enum op { OP_WRITE, OP_WRITEV, OP_SEND, OP_SENDMSG, OP_SENDFILE, OPS };

static const char *const op_name[OPS] = { "write", "writev", "send", "sendmsg", "sendfile" };

/*
 * One call site per function, so that the shim's classes are the same throughout a scene: no
 * clones, and no tail calls, whose return address is that of the caller's caller.
 */
#define SITE PLAIN __attribute__((unused)) static
#define NO_TAIL_CALL(r) __asm__ volatile("" : "+r"(r))

SITE ssize_t op_write(int fd, size_t at, size_t n)
{
	ssize_t r = write(fd, tr_pattern + at, n);

	NO_TAIL_CALL(r);
	return r;
}

/* Three pieces and two empty ones. */
#define PIECES(at, n)                                                                     \
	{                                                                                 \
		{ tr_pattern + (at), 0 }, { tr_pattern + (at), (n) / 3 },                 \
		{ tr_pattern + (at) + (n) / 3, (n) / 3 }, { NULL, 0 },                    \
		{ tr_pattern + (at) + 2 * ((n) / 3), (n) - 2 * ((n) / 3) }                \
	}

SITE ssize_t op_writev(int fd, size_t at, size_t n)
{
	struct iovec iov[] = PIECES(at, n);
	ssize_t r = writev(fd, iov, 5);

	NO_TAIL_CALL(r);
	return r;
}

SITE ssize_t op_send(int fd, size_t at, size_t n, int flags)
{
	ssize_t r = send(fd, tr_pattern + at, n, flags);

	NO_TAIL_CALL(r);
	return r;
}

SITE ssize_t op_sendmsg(int fd, size_t at, size_t n, int flags)
{
	struct iovec iov[] = PIECES(at, n);
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 5 };
	ssize_t r = sendmsg(fd, &message, flags);

	NO_TAIL_CALL(r);
	return r;
}

SITE ssize_t op_sendfile(int fd, size_t at, size_t n)
{
	off_t offset = (off_t)at;
	ssize_t r = sendfile(fd, tr_file, &offset, n);

	if (offset != (off_t)at + (r > 0 ? r : 0))
		die("sendfile returned %zd and moved the offset by %lld", r, (long long)offset - (long long)at);
	return r;
}

TR ssize_t op_call(enum op op, int fd, size_t at, size_t n, int flags)
{
	switch (op) {
	case OP_WRITE: return op_write(fd, at, n);
	case OP_WRITEV: return op_writev(fd, at, n);
	case OP_SEND: return op_send(fd, at, n, flags);
	case OP_SENDMSG: return op_sendmsg(fd, at, n, flags);
	default: return op_sendfile(fd, at, n);
	}
}

/*
 * Makes the calling thread, and this call's class, one that is known to spin: three times it
 * is told EAGAIN and tries again at once. Then strategy auto waits in the next stall. Only
 * when TR_WARM is set: forced strategies need no learning, and would wait in here. Nothing in
 * here sleeps: a try after a sleep is no spin.
 */
TR void warm(const struct door *door, enum op op, size_t n, int flags)
{
	static __thread unsigned char is_warm[OPS]; /* a second time, it would wait in here */
	int rounds = getenv("TR_WARM") && !is_warm[op] ? 3 : 0;

	is_warm[op] = 1;
	for (int i = 0; i < rounds; i++) {
		struct pair p = pair_open(door, 0);
		size_t got = 0, sent = 0;
		ssize_t r;

		while ((r = op_call(op, p.fd, sent, n, flags)) > 0)
			sent += (size_t)r;
		MUST(errno == EAGAIN);
		while (got < sent)
			take(p.peer, &got, NULL);
		MUST(op_call(op, p.fd, got, 100, flags) == 100);
		MUST(close(p.fd) == 0);
		MUST(take_all(p.peer, got, NULL) == got + 100);
		syscall(SYS_close, p.peer);
	}
}

/* A thread that makes one call; warm: after warming up. The scene starts when it begins. */
struct call {
	const struct door *warm_on; /* NULL: no warming up */
	enum op op;
	int fd, flags;
	size_t at, n;
	pthread_t thread;
	sem_t begins;
	volatile int has_ended;
	uint64_t begin_ns, end_ns;
	ssize_t result;
	int error;
};

TR void *call_thread(void *argument)
{
	struct call *c = argument;

	if (c->warm_on)
		warm(c->warm_on, c->op, c->n, c->flags);
	sem_post(&c->begins);
	c->begin_ns = now_ns();
	c->result = op_call(c->op, c->fd, c->at, c->n, c->flags);
	c->error = errno;
	c->end_ns = now_ns();
	c->has_ended = 1;
	return NULL;
}

TR void call_begin(struct call *c)
{
	c->has_ended = 0;
	MUST(sem_init(&c->begins, 0, 0) == 0);
	MUST(pthread_create(&c->thread, NULL, call_thread, c) == 0);
	while (sem_wait(&c->begins))
		;
}

/* Its end; the result must be one a non-blocking call on a healthy socket may have. */
TR void call_end(struct call *c)
{
	MUST(pthread_join(c->thread, NULL) == 0);
	if (c->result == 0 || c->result > (ssize_t)c->n ||
	    (c->result < 0 && c->error != EAGAIN))
		die("%s of %zu bytes: %zd, errno %d", op_name[c->op], c->n, c->result, c->error);
}

TR size_t call_sent(const struct call *c)
{
	return c->result > 0 ? (size_t)c->result : 0;
}

/* Milliseconds between two times, in tenths: what facts carry. */
TR int64_t tenths_of_ms(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (int64_t)((to_ns - from_ns) / 100000) : 0;
}

TR uint64_t slowest_ns; /* of the calls made by QUICK */

/* A call that natively returns at once. */
#define QUICK(r, call)                                                         \
	do {                                                                   \
		uint64_t begin_ = now_ns(), took_;                             \
                                                                               \
		(r) = (call);                                                  \
		took_ = now_ns() - begin_;                                     \
		slowest_ns = took_ > slowest_ns ? took_ : slowest_ns;          \
	} while (0)

#endif
