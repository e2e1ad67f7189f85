/* SPDX-License-Identifier: MIT */
/*
 * Calls as a host makes them, through libc's symbols (and so through the shim), each bracketed by
 * the rules every result must keep. All return what the call did, or -errno.
 */
#ifndef DIFFERENTIAL_CALL_H
#define DIFFERENTIAL_CALL_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "conn.h"

/* What a thread's handlers have seen; compared before and after a call. */
struct thread_self {
	volatile uint32_t signals, sigpipes;
	struct conn *volatile current; /* whose write is in progress */
	int pipe[2];		       /* for splice; made at first use */
	int file; /* own description of the ring, for sendfile without offset */
};
extern __thread struct thread_self self;

/* One output call: what was asked, for the rules. */
struct out {
	struct conn *conn;
	int fd, flags;
	size_t n;
	uint64_t draw;
	const uint8_t *data;
	uint8_t is_nonblocking; /* in effect for this call */
	uint8_t may_be_short;	/* file or pipe ended: short or 0 without a stall */
	uint8_t has_steps;	/* sendmmsg, files, pipes: a later step's error is lost natively */
	int odd, error;		/* errno before the call and after it */
};

/* Output ops: the calls themselves, one each, in call_ops.c. */
struct out_op {
	const char *name;
	ssize_t (*run)(struct out *o);
	uint8_t needs_socket, is_file;
};
const struct out_op *call_pick_op(const struct conn *c, uint64_t draw);

/* Writes up to n bytes of the connection's stream at its position, by a call of its plan. */
ssize_t call_out(struct conn *c, size_t n);

/* Reads up to n bytes of requests, checks them. 0 is the end. */
ssize_t call_in(struct conn *c, size_t n);

/* Waits, by one of their forms. */
int call_epoll(int epfd, struct epoll_event *events, int max, int timeout_ms, uint64_t draw);
int call_poll(struct pollfd *fds, nfds_t n, int timeout_ms, uint64_t draw);
int call_select(int n, fd_set *in, fd_set *out, int timeout_ms, uint64_t draw);

/* Gives back the descriptors the calling thread's calls needed. */
void call_thread_end(void);

/* Closes by libc, by raw system call, or by close_range. */
void call_close(int fd, uint64_t draw);

#endif
