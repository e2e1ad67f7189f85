/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include "stats.h"
#include "sys.h"
#include "thread.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* Pieces copied for a retry; more go in further rounds. On the stack: 1 KB. */
#define PIECES 64

/* How long a closing thread lets a send in progress finish: a non-blocking send takes microseconds. */
#define CLOSE_PATIENCE 20000

/* No MSG_FASTOPEN, MSG_OOB, MSG_ZEROCOPY: an extra call changes what they mean. */
#define NEVER_FLAGS (MSG_OOB | 0x4000000 /* MSG_ZEROCOPY */ | 0x20000000 /* MSG_FASTOPEN */)

static unsigned spin_limit = 16;
static uint8_t is_refused; /* a filter forbids our sends: off for the life of the process */

struct retry {
	struct fdrec *rec;
	const struct request *request;
	size_t done;
	uint64_t cookie;
	uint32_t generation;
	unsigned sends;
};

void retry_configure(const struct config *config)
{
	spin_limit = (unsigned)config->value[CONFIG_spin_limit];
}

int retry_is_allowed(const struct fdrec *rec, const struct request *q)
{
	return !load_relaxed(&is_refused) && q->kind != REQUEST_WHOLE && !(q->flags & NEVER_FLAGS) &&
	       rec->cookie &&
	       (rec->socket_kind == SOCKET_KIND_TCP || rec->socket_kind == SOCKET_KIND_UNIX);
}

/* The pieces of the vector that are still to be sent. */
static size_t rest_of_vector(const struct retry *r, struct iovec *pieces)
{
	const struct iovec *from = r->request->data;
	size_t skip = r->done, n = 0;

	for (size_t i = 0; i < r->request->count && n < PIECES; i++) {
		if (skip >= from[i].iov_len) {
			skip -= from[i].iov_len;
			continue;
		}
		pieces[n].iov_base = (char *)from[i].iov_base + skip;
		pieces[n++].iov_len = from[i].iov_len - skip;
		skip = 0;
	}
	return n;
}

static long send_memory(struct retry *r)
{
	struct iovec pieces[PIECES];
	struct msghdr message = { .msg_iov = pieces };
	int flags = r->request->flags | MSG_DONTWAIT;

	if (r->request->kind == REQUEST_BUFFER) {
		pieces[0].iov_base = (char *)(uintptr_t)r->request->data + r->done;
		pieces[0].iov_len = r->request->asked - r->done;
		message.msg_iovlen = 1;
	} else {
		message.msg_iovlen = rest_of_vector(r, pieces);
	}
	/* Part is out: a signal now would come earlier than the host's next call. */
	if (r->done)
		flags |= MSG_NOSIGNAL;
	return sys_call(SYS_sendmsg, r->request->fd, &message, flags, 0, 0, 0);
}

/* sendfile has no flags: the signal is held back, and dropped if it came from us alone. */
static long send_file(struct retry *r)
{
	const struct request *q = r->request;
	uint64_t pipe_bit = 1ull << (SIGPIPE - 1), before = 0, pending = 0;
	struct timespec now = { 0, 0 };
	long got;

	if (!r->done)
		return sys_call(SYS_sendfile, q->fd, q->in, q->offset, q->asked, 0, 0);
	sys_call(SYS_rt_sigprocmask, SIG_BLOCK, &pipe_bit, &before, 8, 0, 0);
	sys_call(SYS_rt_sigpending, &pending, 8, 0, 0, 0, 0);
	got = sys_call(SYS_sendfile, q->fd, q->in, q->offset, q->asked - r->done, 0, 0);
	if (got == -EPIPE && !(pending & pipe_bit))
		sys_call(SYS_rt_sigtimedwait, &pipe_bit, NULL, &now, 8, 0, 0);
	sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8, 0, 0);
	return got;
}

/* Still the socket we began with, and nobody is closing it? */
static int is_same(const struct retry *r)
{
	return __atomic_load_n(&r->rec->generation, __ATOMIC_SEQ_CST) == r->generation &&
	       sys_cookie(r->request->fd) == r->cookie;
}

/*
 * One send of the rest. `sending` and `generation` are a pair (sequentially consistent): either
 * we see the closer's new generation and do not send, or the closer sees us sending and waits.
 */
static long send_rest(struct retry *r)
{
	long got = -EBADF;

	__atomic_add_fetch(&r->rec->sending, 1, __ATOMIC_SEQ_CST);
	if (is_same(r)) {
		got = r->request->kind == REQUEST_FILE ? send_file(r) : send_memory(r);
		r->sends++;
	} else {
		stats_global_add(GLOBAL_REUSED_IN_WAIT, 1);
	}
	__atomic_sub_fetch(&r->rec->sending, 1, __ATOMIC_SEQ_CST);
	return got;
}

/* 1 room, 0 none within the slice, -1 stop: a signal, an error or a hang-up. */
static int wait_for_room(const struct retry *r, uint64_t slice_ns)
{
	struct pollfd p = { .fd = r->request->fd, .events = POLLOUT };
	struct timespec t = { 0, (long)slice_ns };
	long got = sys_call(SYS_ppoll, &p, 1, &t, NULL, 8, 0);

	if (got < 0 || (p.revents & (POLLERR | POLLHUP | POLLNVAL)))
		return -1;
	return got > 0 && (p.revents & POLLOUT);
}

/* An error after part was sent is the host's next call's. EPIPE comes again by itself. */
static void keep_error(struct retry *r, int error)
{
	if (error == EPIPE || error == EBADF || !fdrec_try_lock(r->rec))
		return;
	r->rec->kept_error = error;
	store_relaxed(&r->rec->room_bytes, 0);
	fdrec_set_kind(r->rec, FD_STALLED);
	fdrec_unlock(r->rec);
}

enum step { GO_ON, STALLED, STOP };

/* One retry. STOP leaves result and error as the host is to see them. */
static enum step step(struct retry *r, int *error)
{
	long got = send_rest(r);

	if (got > 0) {
		r->done += (size_t)got;
		thread_add(TOTAL_RETRY_BYTES, (uint64_t)got);
		*error = 0;
		/* Short: the next send would stall, and must, before we return. */
		return r->done < r->request->asked ? GO_ON : STOP;
	}
	if (got == -EAGAIN)
		return STALLED;
	if (got == 0) /* the file has ended */
		return STOP;
	if (got == -EACCES || got == -EPERM || got == -ENOSYS) {
		store_relaxed(&is_refused, 1);
		stats_global_add(GLOBAL_AUX_REFUSED, 1);
	} else if (got != -EINTR && got != -EBADF) {
		if (r->done)
			keep_error(r, (int)-got);
		else
			*error = (int)-got;
	}
	return STOP;
}

/* Waits in slices until there is room. 0: give up. */
static int await(const struct retry *r, uint64_t deadline)
{
	int room;

	do {
		room = wait_for_room(r, RETRY_SLICE_NS);
		if (room)
			return room > 0;
		if (__atomic_load_n(&r->rec->generation, __ATOMIC_SEQ_CST) != r->generation)
			return 0;
	} while (sys_now() < deadline);
	thread_add(TOTAL_BLOCK_LIMITS, 1);
	return 0;
}

static void run(struct retry *r, enum retry_how how, uint64_t deadline, int *error)
{
	unsigned stalls = 0;
	enum step s;

	for (;;) {
		if (how == RETRY_BLOCK && stalls && !await(r, deadline))
			return;
		s = step(r, error);
		if (s == STOP)
			return;
		stalls += s == STALLED;
		if (s == STALLED && how == RETRY_ONCE)
			return;
		/* Spinning stops only right after a stall, as the first rule demands. */
		if (s == STALLED && how == RETRY_SPIN &&
		    (stalls >= spin_limit || sys_now() >= deadline))
			return;
	}
}

unsigned retry_go_on(struct fdrec *rec, const struct request *q, enum retry_how how,
		     uint64_t max_ns, ssize_t *result, int *error)
{
	struct retry r = {
		.rec = rec,
		.request = q,
		.done = *result > 0 ? (size_t)*result : 0,
		.cookie = rec->cookie,
	};
	int seen_error = *result < 0 ? *error : 0;

	__atomic_add_fetch(&rec->waiters, 1, __ATOMIC_SEQ_CST);
	r.generation = __atomic_load_n(&rec->generation, __ATOMIC_SEQ_CST);
	run(&r, how, sys_now() + max_ns, &seen_error);
	__atomic_sub_fetch(&rec->waiters, 1, __ATOMIC_SEQ_CST);
	if (r.done) {
		*result = (ssize_t)r.done;
	} else {
		*result = -1;
		*error = seen_error;
	}
	return r.sends;
}

void retry_interrupt(struct fdrec *rec)
{
	__atomic_add_fetch(&rec->generation, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < CLOSE_PATIENCE && __atomic_load_n(&rec->sending, __ATOMIC_SEQ_CST); i++)
		cpu_relax();
}
