/* SPDX-License-Identifier: MIT */
#include "observe.h"

#include "action.h"
#include "classes.h"
#include "entry.h"
#include "exclusive.h"
#include "fdlock.h"
#include "mask.h"
#include "retry.h"
#include "sys.h"
#include "treat.h"
#include "waste.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/*
 * A gap this long between two tries may have been a sleep we do not wrap (nanosleep, a futex):
 * then the thread's voluntary switches tell. Shorter gaps are not worth the system call.
 */
#define SLEEP_GAP_NS 200000

/* Slow-path operations on a socket before its addresses are asked for (unless it stalls). */
#define LOOK_AFTER_OPS 3

/* The thread has not been the socket's last user: who hands sockets to whom tells the roles. */
static void note_user(struct fdrec *rec)
{
	uint32_t before = load_relaxed(&rec->user);

	if (before == thread_self.id || !thread_self.row)
		return;
	store_relaxed(&rec->user, thread_self.id);
	count_add(before != FD_NO_USER ? &thread_self.row->sockets_taken
				       : &thread_self.row->sockets_first, 1);
}

/*
 * The descriptor's record when it is a stream socket we count; the thread is claimed.
 * is_proof: the call succeeded and only sockets accept it. On a record that says "no socket" the
 * number was reused out of our sight (socketpair, F_DUPFD, SCM_RIGHTS after an fclose).
 */
struct fdrec *observe_stream_record(int fd, int is_proof)
{
	struct fdrec *rec;
	enum fd_kind kind;

	if (!unspin_is_on)
		return NULL;
	rec = fdtable_get(fd);
	if (rec && is_proof && fdrec_kind(rec) == FD_NOT_SOCKET)
		store_relaxed(&rec->tag, FD_UNKNOWN);
	kind = rec ? socket_resolve(fd, rec) : FD_UNKNOWN;
	if (kind != FD_QUIET && kind != FD_STALLED)
		return NULL;
	thread_claim();
	note_user(rec);
	if (thread_self.context && !thread_self.context->role_countdown--)
		thread_look_at_role();
	return rec;
}

/*
 * A connection still being made says EAGAIN too: that is no full buffer. Asked only when nothing
 * shows that it was made: a byte sent in this response does. connect() may have been made out of
 * our sight (io_uring, raw system calls).
 */
static int is_connecting(int fd, const struct fdrec *rec)
{
	uint8_t state = 0; /* the first byte of struct tcp_info */
	unsigned bytes = sizeof(state);

	if (rec->socket_kind != SOCKET_KIND_TCP || load_relaxed(&rec->spin.response_bytes))
		return 0;
	if (sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &bytes) < 0)
		return 0;
	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

static int is_stall(const struct request *q, const struct fdrec *rec, ssize_t returned, int error)
{
	static uint8_t is_mode_refused; /* F_GETFL: then no stall is known to be one */
	int is_again = returned < 0 && (error == EAGAIN || error == EWOULDBLOCK);
	int is_nonblocking = 1;

	/* 0 is the end of a file, which may have grown since; no full socket answers so. */
	if (!is_again && !(returned > 0 && (size_t)returned < q->asked))
		return 0;
	/* SO_SNDTIMEO makes blocking sockets return such results too: those are no stalls. */
	if (!(q->flags & MSG_DONTWAIT))
		is_nonblocking = sys_is_nonblocking(q->fd);
	if (sys_is_refusal(is_nonblocking))
		stats_refused(&is_mode_refused);
	if (is_nonblocking <= 0)
		return 0;
	/* A file that ended: the socket itself has room. Not told by asking whether it is writable: it
	 * may have drained since (seen with nginx, 1 stall of 100). */
	if (q->kind == REQUEST_FILE && !is_again)
		return !request_is_at_end(q);
	if (is_again && is_connecting(q->fd, rec))
		return 0;
	return !q->may_lack_input || !sys_is_writable(q->fd);
}

static int has_slept(struct fdrec *rec, uint64_t now)
{
	uint64_t sleeps;

	if (!spin_is_stalled(&rec->spin) || rec->spin.stall_thread != entry_thread() ||
	    now - rec->last_try_ns < SLEEP_GAP_NS)
		return 0;
	sleeps = sys_thread_sleeps();
	if (sleeps == rec->sleeps)
		return 0;
	rec->sleeps = sleeps;
	return 1;
}

/*
 * A loop that serves others waits many times before a slow socket's turn comes again: the trip
 * leaves at the first of these waits and comes back from the last. Not known when they were more
 * than were clocked.
 */
static void take_wait_times(const struct fdrec *rec, struct write_event *event)
{
	const struct thread_context *context = thread_self.context;
	uint64_t waits = event->waits - rec->spin.stall_waits;

	if (!context || !spin_is_stalled(&rec->spin) || !waits || waits > CLOCKED_WAITS)
		return;
	event->wait_enter_ns = context->wait_enter_ns[(rec->spin.stall_waits + 1) % CLOCKED_WAITS];
	event->wait_return_ns = context->wait_return_ns;
}

/* The class and the thread learn what the host does after its stalls. */
static void learn(struct fdrec *rec, const struct spin_seen *seen)
{
	struct class_memory *memory = rec->class_slot ? &rec->class_slot->memory : NULL;
	struct thread_context *context = thread_self.context;

	if (seen->insists) {
		if (memory)
			class_spun(memory);
		if (context && context->spin_score < CLASS_BELIEVE_AGAIN)
			context->spin_score++;
	}
	if (seen->resumed) {
		if (memory)
			class_yielded(memory);
		if (context) {
			context->spin_score = 0;
			context->has_yielded |= seen->waited;
		}
	}
	if (seen->trip_ns && memory)
		class_tripped(memory, seen->trip_ns);
	if (rec->class_slot && (seen->insists || seen->resumed || seen->tries == 1))
		classes_publish(rec->class_slot);
}

static void book(struct fdrec *rec, const struct spin_seen *seen, int is_again)
{
	struct socket_row *row = rec->socket;

	if (seen->stalled) {
		thread_add(is_again ? TOTAL_EAGAIN_WRITES : TOTAL_SHORT_WRITES, 1);
		count_add(is_again ? &row->eagain_writes : &row->short_writes, 1);
		if (rec->class_slot)
			count_add(&classes_row(rec->class_slot)->stalls, 1);
	}
	if (seen->spun) {
		thread_add(TOTAL_SPIN_WRITES, 1);
		count_add(&row->spin_writes, 1);
		if (seen->tries > row->spins_max)
			store_relaxed(&row->spins_max, seen->tries);
	}
	if (seen->episode) {
		thread_add(TOTAL_SPIN_EPISODES, 1);
		count_add(&row->spin_episodes, 1);
	}
	if (seen->became_spinner)
		thread_add(TOTAL_SPINNERS, 1);
	if (seen->resumed) {
		thread_add(TOTAL_RESUMES, 1);
		count_add(&row->resumes, 1);
	}
	if (seen->trip_ns) {
		thread_add(TOTAL_TRIP_NS, seen->trip_ns);
		thread_add(TOTAL_TRIPS, 1);
	}
	learn(rec, seen);
}

static void set_kind(struct fdrec *rec)
{
	enum fd_kind kind = fdrec_kind(rec);

	if (kind == FD_QUIET || kind == FD_STALLED)
		fdrec_set_kind(rec, spin_is_stalled(&rec->spin) || load_relaxed(&rec->owes_error)
					    ? FD_STALLED : FD_QUIET);
}

/* What the next write will be compared with, to tell a spin from a return. */
static void note_stall_begin(struct fdrec *rec)
{
	rec->sleeps = sys_thread_sleeps();
	if (thread_self.context)
		thread_self.context->clocked_waits = CLOCKED_WAITS;
}

/* What the kernel's answer to the host's own call meant. Lock held. Returns what was decided. */
static struct treat probe(const struct request *q, struct fdrec *rec,
			  const struct write_event *event, int may_go_on)
{
	struct treat treat = { .how = TREAT_NOT };
	struct spin_seen seen;
	int was_stalled = spin_is_stalled(&rec->spin);

	/* Not every write is looked at before it is made. */
	if (event->is_stall && !was_stalled)
		ahead_note_class(rec, q);
	spin_write(&rec->spin, event, &seen);
	rec->last_try_ns = event->now_ns;
	book(rec, &seen, event->returned < 0);
	if (seen.stalled && !(was_stalled && seen.spun))
		note_stall_begin(rec);
	/* Until the stall is over each write is looked at before it is made: for its errno. */
	if (seen.stalled ? treat_may_act() : was_stalled)
		store_relaxed(&rec->room_bytes, seen.stalled ? 0 : AHEAD_FRESH_ROOM);
	if (seen.stalled) {
		size_t sent = event->returned > 0 ? (size_t)event->returned : 0;
		int has_grown = action_stalled(q->fd, rec, q, sent, seen.tries, treat_would_block(rec));

		if (may_go_on)
			treat = treat_choose(q, rec, has_grown);
	}
	set_kind(rec);
	return treat;
}

/* The write as the host made it and the kernel answered it. */
static struct write_event describe(const struct request *q, struct fdrec *rec, ssize_t returned,
				   int error)
{
	struct write_event event = {
		.now_ns = sys_now(),
		.asked = q->asked,
		.returned = returned,
		.thread = entry_thread(),
		.waits = thread_total(TOTAL_WAITS),
		.is_stall = (uint8_t)is_stall(q, rec, returned, error),
	};

	take_wait_times(rec, &event);
	event.has_slept = (uint8_t)has_slept(rec, event.now_ns);
	return event;
}

COLD ssize_t observe_write_slow(const struct request *q, ssize_t returned)
{
	struct guard g = guard_enter();
	struct fdrec *rec = observe_stream_record(q->fd, q->is_socket_call && returned >= 0);
	struct write_event event;
	struct treat treat;
	uint32_t generation;
	int may_go_on;

	if (!rec)
		goto out;
	/* What is sent while a thread waits to be cancelled would be lost with it: natively its call
	 * has returned long before. EAGAIN is turned only where the errno of a success is known. */
	may_go_on = entry_is_alone(q, rec) && !guard_is_cancelled_anywhere(g) &&
		    (returned >= 0 || q->knows_errno);
	if (returned > 0)
		store_relaxed(&rec->has_sent, SENT_SEEN);
	generation = returned > 0 ? retry_intrude(rec) : retry_generation(rec);
	thread_add(TOTAL_WRITES, 1);
	count_add(&fdrec_row(rec)->writes, 1);
	if (returned > 0) {
		thread_add(TOTAL_WRITE_BYTES, (uint64_t)returned);
		count_add(&fdrec_row(rec)->write_bytes, (uint64_t)returned);
	}
	store_relaxed(&rec->pending, 0);
	if (!fdrec_try_lock(rec)) {
		stats_global_add(GLOBAL_CONTENDED, 1);
		if (returned > 0)
			count_add(&rec->spin.response_bytes, (uint64_t)returned);
		mask_stalled(rec); /* or not: nobody has looked */
		goto out;
	}
	event = describe(q, rec, returned, g.saved_errno);
	/* On the stall path the socket must be the one the record is about. */
	if (event.is_stall)
		socket_validate(q->fd, rec);
	if (!load_relaxed(&rec->is_looked_at) && (event.is_stall || ++rec->ops >= LOOK_AFTER_OPS))
		socket_look(q->fd, rec);
	treat = probe(q, rec, &event, may_go_on);
	treat.key.generation = generation;
	fdrec_unlock(rec);
	if (event.is_stall)
		mask_stalled(rec);
	if (treat.how != TREAT_NOT) {
		int was_again = returned < 0;

		treat_go_on(q, rec, &treat, &returned, &g.saved_errno);
		if (was_again && returned >= 0)
			g.saved_errno = q->errno_before;
	}
out:
	if (q->rec)
		entry_leave(q->rec);
	guard_leave(g);
	return returned;
}

/* The set whose event is pending, which is that of the latest registration; -1: none. */
static int told_by(const struct fdrec *rec)
{
	return load_relaxed(&rec->pending) & READY_BY_POLL ? -1 : load_relaxed(&rec->epoll_fd);
}

COLD ssize_t observe_read_slow(int fd, ssize_t returned, int is_recv, const void *site)
{
	struct guard g = guard_enter();
	int is_again = returned < 0 && (g.saved_errno == EAGAIN || g.saved_errno == EWOULDBLOCK);
	struct fdrec *rec = observe_stream_record(fd, is_recv && returned >= 0);

	if (!rec)
		goto out;
	thread_add(TOTAL_READS, 1);
	count_add(&fdrec_row(rec)->reads, 1);
	if (returned > 0) {
		thread_add(TOTAL_READ_BYTES, (uint64_t)returned);
		count_add(&fdrec_row(rec)->read_bytes, (uint64_t)returned);
	}
	if (ready_is_dry(load_relaxed(&rec->pending), is_again)) {
		thread_add(TOTAL_DRY_IN, 1);
		count_add(&fdrec_row(rec)->dry_in, 1);
		count_add(&epoll_row_of(told_by(rec))->dry_in, 1);
		store_relaxed(&fdrec_row(rec)->dry_site, (uint64_t)(uintptr_t)site);
		waste_add(site, dry_in, 1);
	}
	store_relaxed(&rec->pending, 0);
	/* Data, or the peer's end: either way the response before it is complete. */
	if (returned >= 0 && fdrec_try_lock(rec)) {
		socket_end_response(rec);
		if (!load_relaxed(&rec->is_looked_at) && ++rec->ops >= LOOK_AFTER_OPS)
			socket_look(fd, rec);
		fdrec_unlock(rec);
	}
	/* After a reset the first call gets the error, later reads the end of data. A retry was
	 * the first call; this one is owed its answer. */
	if (returned == 0 && unlikely(load_relaxed(&rec->owes_error))) {
		int error = ahead_take_error(fd);

		if (error) {
			g.saved_errno = error;
			returned = -1;
		}
	}
out:
	guard_leave(g);
	return returned;
}

void observe_accept(int listener, int returned, const struct sockaddr *peer, socklen_t peer_bytes,
		    const void *site)
{
	struct guard g = guard_enter();
	int is_again = returned < 0 && (g.saved_errno == EAGAIN || g.saved_errno == EWOULDBLOCK);
	struct fdrec *rec;
	int set;

	if (!unspin_is_on)
		goto out;
	if (returned >= 0)
		socket_accepted(listener, returned, peer, peer_bytes);
	rec = fdtable_get(listener);
	if (!rec || socket_resolve(listener, rec) != FD_LISTENER)
		goto out;
	thread_claim();
	/* Where several threads watch one listener, `pending` is whichever was told last. */
	set = exclusive_is_on ? exclusive_accepted(listener, rec, returned, g.saved_errno) : -1;
	if (returned >= 0) {
		thread_add(TOTAL_ACCEPTS, 1);
		count_add(&fdrec_row(rec)->accepts, 1);
	} else if (ready_is_dry(load_relaxed(&rec->pending), is_again) || (set >= 0 && is_again)) {
		thread_add(TOTAL_HERD_ACCEPTS, 1);
		count_add(&fdrec_row(rec)->herd_accepts, 1);
		count_add(&epoll_row_of(set >= 0 ? set : told_by(rec))->herd_accepts, 1);
		store_relaxed(&fdrec_row(rec)->dry_site, (uint64_t)(uintptr_t)site);
		waste_add(site, herd_accepts, 1);
	}
	store_relaxed(&rec->pending, 0);
out:
	guard_leave(g);
}
