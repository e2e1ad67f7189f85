/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include "kept.h"
#include "stats.h"
#include "sys.h"
#include "thread.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* Pieces copied for a retry; more go in further rounds. On the stack: 1 KB. */
#define PIECES 64

/*
 * How long a closing thread lets a send in progress finish. A non-blocking send takes
 * microseconds, but the sender may be off the processor: measured, 20 000 pauses (1 ms) let a
 * close overtake a send on a busy machine. The bound is for the absurd: a send that waits for
 * the closer itself (userfaultfd).
 */
#define CLOSE_PATIENCE_NS 1000000000
#define CLOSE_SPINS 100

/*
 * Signals that the sender's own system calls may raise: blocked, they would kill the host. SIGSYS
 * is what some sandboxes answer calls by.
 */
#define SYNCHRONOUS_SIGNALS                                                                 \
	(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) |              \
	 1ull << (SIGFPE - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGSYS - 1))
#define SIGPIPE_BIT (1ull << (SIGPIPE - 1))

/* No MSG_FASTOPEN, MSG_OOB, MSG_ZEROCOPY: an extra call changes what they mean. */
#define NEVER_FLAGS (MSG_OOB | 0x4000000 /* MSG_ZEROCOPY */ | 0x20000000 /* MSG_FASTOPEN */)

static unsigned spin_limit = 16;
static uint8_t is_refused; /* a filter forbids our calls: off for the life of the process */
static uint32_t ranges_closing; /* threads in close_range or closefrom */
static uint32_t in_flight;	/* sends and closes in progress, of all records: for fork */

struct retry {
	struct fdrec *rec;
	const struct request *request;
	uint64_t cookie;
	uint32_t generation; /* the record's, as long as nobody interferes */
	size_t done;
	unsigned sends;
	uint8_t has_stalled; /* the last send, the host's own included, met a full socket */
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

/* What a filter answers, or a kernel too old: the whole feature goes, once for all. */
static int is_refusal(long got)
{
	if (!sys_is_refusal(got))
		return 0;
	stats_refused(&is_refused);
	return 1;
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
	size_t offered = r->request->asked - r->done;
	long got;

	if (r->request->kind == REQUEST_BUFFER) {
		pieces[0].iov_base = (char *)(uintptr_t)r->request->data + r->done;
		pieces[0].iov_len = offered;
		message.msg_iovlen = 1;
	} else {
		message.msg_iovlen = rest_of_vector(r, pieces);
		offered = 0;
		for (size_t i = 0; i < message.msg_iovlen; i++)
			offered += pieces[i].iov_len;
	}
	got = sys_call(SYS_sendmsg, r->request->fd, &message,
		       r->request->flags | MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
	/* All the pieces of one round taken is no stall, though the call is not done. */
	r->has_stalled = got == -EAGAIN || (got >= 0 && (size_t)got < offered);
	return got;
}

/* sendfile has no flags: its signal, held back like all others here, is dropped if it is ours. */
static long send_file(struct retry *r)
{
	const struct request *q = r->request;
	uint64_t pipe_bit = SIGPIPE_BIT, pending = 0;
	struct timespec now = { 0, 0 };
	long got;

	/* Another thread of the host may have made the socket a blocking one by now. */
	if (sys_is_nonblocking(q->fd) != 1)
		return -EINTR;
	sys_call(SYS_rt_sigpending, &pending, 8, 0, 0, 0, 0);
	got = sys_call(SYS_sendfile, q->fd, q->in, q->offset, q->asked - r->done, 0, 0);
	if (got == -EPIPE && !(pending & SIGPIPE_BIT))
		sys_call(SYS_rt_sigtimedwait, &pipe_bit, NULL, &now, 8, 0, 0);
	/* Short may be the end of the file: only the next call tells. */
	r->has_stalled = got == -EAGAIN;
	return got;
}

/* Still the socket we began with, nobody is closing it, and no other bytes were sent on it? */
static int is_same(const struct retry *r)
{
	const struct fdrec *rec = r->rec;
	uint64_t cookie = 0;
	unsigned bytes = sizeof(cookie);
	int got, is_closing = __atomic_load_n(&rec->closing, __ATOMIC_SEQ_CST) ||
			 __atomic_load_n(&ranges_closing, __ATOMIC_SEQ_CST);

	/* A full write counted on the fast path leaves a mark only: a signal handler's, right after
	 * the host's call. */
	if (!is_closing && (retry_generation(rec) != r->generation ||
			    load_relaxed(&rec->has_sent) == SENT_FULL ||
			    __atomic_load_n(&rec->writing, __ATOMIC_SEQ_CST) != (r->request->rec == rec)))
		return 0;
	got = sys_getsockopt(r->request->fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes);
	if (is_refusal(got))
		return 0;
	if (!is_closing && got == 0 && cookie == r->cookie)
		return 1;
	stats_global_add(GLOBAL_REUSED_IN_WAIT, 1);
	return 0;
}

/*
 * One send of the rest, or -EBADF. `sending` and `closing` are a pair (sequentially consistent):
 * either we see that somebody is closing and do not send, or the closer sees us sending and
 * waits. No signal handler runs in between: it might close the descriptor, and wait for itself.
 */
static long send_rest(struct retry *r)
{
	uint64_t all = ~SYNCHRONOUS_SIGNALS, before = 0;
	long got = sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8, 0, 0);

	if (got < 0) {
		is_refusal(got);
		return -EBADF;
	}
	got = -EBADF;
	__atomic_add_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
	/* Alone, or two calls' bytes might alternate. */
	if (__atomic_add_fetch(&r->rec->sending, 1, __ATOMIC_SEQ_CST) == 1 && is_same(r)) {
		got = r->request->kind == REQUEST_FILE ? send_file(r) : send_memory(r);
		r->sends++;
		if (got > 0) {
			retry_intrude(r->rec);
			r->generation++;
		}
	}
	__atomic_sub_fetch(&r->rec->sending, 1, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
	sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8, 0, 0);
	return got;
}

/* 1 room, 0 none within the time, -1 stop: a signal, an error or a hang-up. */
static int wait_for_room(const struct retry *r, uint64_t ns)
{
	struct pollfd p = { .fd = r->request->fd, .events = POLLOUT };
	struct timespec t = { 0, (long)ns };
	long got = sys_call(SYS_ppoll, &p, 1, &t, NULL, 8, 0);

	is_refusal(got);
	if (got < 0 || (p.revents & (POLLERR | POLLHUP | POLLNVAL)))
		return -1;
	return got > 0 && (p.revents & POLLOUT);
}

/*
 * What the socket said once and will not say again, after part was sent: the host's next call's.
 * Errors of the call's arguments and of memory come again by themselves if they are still true.
 */
static void keep_error(const struct retry *r, int error)
{
	switch (error) {
	case ECONNRESET: case ETIMEDOUT: case ECONNREFUSED: case ECONNABORTED: case EHOSTUNREACH:
	case EHOSTDOWN: case ENETUNREACH: case ENETDOWN: case ENONET: case EPROTO: case ENOPROTOOPT:
		break;
	default:
		return;
	}
	kept_put(r->cookie, error);
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
	/* 0: the file has ended. -EPIPE: the host's next call gets it too, with its signal. */
	if (got == 0 || got == -EPIPE || got == -EINTR || got == -EBADF || is_refusal(got))
		return STOP;
	if (r->done)
		keep_error(r, (int)-got);
	else
		*error = (int)-got;
	return STOP;
}

/* Waits in slices until there is room. 0: give up. */
static int await(const struct retry *r, uint64_t deadline)
{
	for (;;) {
		uint64_t now = sys_now(), left = deadline > now ? deadline - now : 0;
		int room;

		/* Not only when a slice passes without room: a reader may keep making a little. */
		if (!left) {
			thread_add(TOTAL_BLOCK_LIMITS, 1);
			return 0;
		}
		room = wait_for_room(r, left < RETRY_SLICE_NS ? left : RETRY_SLICE_NS);
		if (room)
			return room > 0;
		if (retry_generation(r->rec) != r->generation)
			return 0;
	}
}

static void run(struct retry *r, enum retry_how how, uint64_t deadline, int *error)
{
	unsigned stalls = 0;
	enum step s;

	/* The first try is at once, unless the socket has failed: the error is the host's to meet. */
	if (wait_for_room(r, 0) < 0)
		return;
	for (;;) {
		if (how == RETRY_BLOCK && stalls && r->has_stalled && !await(r, deadline))
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
		     const struct retry_key *key, uint64_t max_ns, ssize_t *result, int *error)
{
	struct retry r = {
		.rec = rec,
		.request = q,
		.cookie = key->cookie,
		.generation = key->generation,
		.done = *result > 0 ? (size_t)*result : 0,
		.has_stalled = 1,
	};
	int seen_error = *result < 0 ? *error : 0;

	__atomic_add_fetch(&rec->retrying, 1, __ATOMIC_SEQ_CST);
	/* Makes every other write look at the record before it is made: ahead_look() gives way. */
	__atomic_store_n(&rec->room_bytes, 0, __ATOMIC_SEQ_CST);
	run(&r, how, sys_now() + max_ns, &seen_error);
	__atomic_sub_fetch(&rec->retrying, 1, __ATOMIC_SEQ_CST);
	if (r.done) {
		*result = (ssize_t)r.done;
	} else {
		*result = -1;
		*error = seen_error;
	}
	return r.sends;
}

/* Until no thread is between the check and the end of a send. Yields: the sender needs the CPU. */
static void wait_for_sends(const struct fdrec *rec)
{
	struct timespec pause = { 0, 50000 };
	uint64_t end = 0;

	for (int i = 0; __atomic_load_n(&rec->sending, __ATOMIC_SEQ_CST); i++) {
		if (i < CLOSE_SPINS) {
			cpu_relax();
			continue;
		}
		if (!end)
			end = sys_now() + CLOSE_PATIENCE_NS;
		else if (sys_now() >= end)
			return;
		sys_call(SYS_nanosleep, &pause, NULL, 0, 0, 0, 0);
	}
}

void retry_give_way(struct fdrec *rec)
{
	retry_intrude(rec);
	wait_for_sends(rec);
}

void retry_closing(struct fdrec *rec)
{
	__atomic_add_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&rec->closing, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&rec->generation, 1, __ATOMIC_SEQ_CST);
	wait_for_sends(rec);
}

void retry_closed(struct fdrec *rec)
{
	/* Calls that never came back (a cancelled thread's, a longjmp's) are over now too. */
	__atomic_store_n(&rec->writing, 0, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&rec->closing, 1, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
}

void retry_range_closing(void)
{
	__atomic_add_fetch(&ranges_closing, 1, __ATOMIC_SEQ_CST);
}

void retry_range_closed(void)
{
	__atomic_sub_fetch(&ranges_closing, 1, __ATOMIC_SEQ_CST);
}

int retry_range_is_closing(void)
{
	return __atomic_load_n(&ranges_closing, __ATOMIC_SEQ_CST) != 0;
}

void retry_begin_child(void)
{
	int end = in_flight ? fdtable_end() : 0;

	for (int fd = 0; fd < end; fd++) {
		struct fdrec *rec = fdtable_find(fd);

		if (rec)
			rec->retrying = rec->sending = rec->closing = 0;
	}
	in_flight = ranges_closing = 0;
}
