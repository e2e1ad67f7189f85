/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include "ahead.h"
#include "classes.h"
#include "fdlock.h"
#include "guard.h"
#include "kept.h"
#include "stats.h"
#include "retry.h"
#include "sys.h"
#include "thread.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

int unspin_is_on;

void socket_return_budget(struct fdrec *rec)
{
	if (rec->budget_bytes)
		stats_global_add(GLOBAL_BUDGET_USED, -rec->budget_bytes);
	rec->budget_bytes = 0;
}

void socket_end_response(struct fdrec *rec)
{
	uint64_t bytes = spin_turn(&rec->spin);

	if (!bytes)
		return;
	thread_add(TOTAL_RESPONSES, 1);
	socket_note_response(rec->socket, bytes);
	if (rec->class_slot)
		class_response(&rec->class_slot->memory, bytes);
}

/* The row goes to the closed ones, unless another socket has it by now. */
static void close_row(struct fdrec *rec)
{
	if (rec->socket && rec->has_row && load_relaxed(&rec->socket->turn) == rec->row_turn)
		stats_close_socket(rec->socket);
	rec->has_row = 0;
	store_relaxed(&rec->socket, &stats_socket_sink);
}

/* Everything forgotten but the held lock and the tag, whose next meaning the caller sets. */
static void wipe(struct fdrec *rec)
{
	/* One by one: an assignment of the whole struct clears lock and pointers on its way. */
	store_relaxed(&rec->socket, &stats_socket_sink);
	store_relaxed(&rec->epoll, &stats_epoll_sink);
	store_relaxed(&rec->users, FD_NO_USER);
	store_relaxed(&rec->pending, 0);
	store_relaxed(&rec->room_bytes, AHEAD_FRESH_ROOM);
	/* Retries and closes in progress count in the fields from `retrying` on: those stay. */
	clear_relaxed(&rec->spin, &rec->retrying);
	store_relaxed(&rec->epoll_fd, -1);
}

void socket_give_up(struct fdrec *rec)
{
	enum fd_kind kind = fdrec_kind(rec);

	if (fdrec_is_current(rec) && kind >= FD_QUIET && kind != FD_EPOLL) {
		socket_end_response(rec);
		socket_return_budget(rec);
		close_row(rec);
	}
	if (fdrec_is_current(rec) && kind == FD_EPOLL && rec->epoll != &stats_epoll_sink)
		store_release(&rec->epoll->state, ROW_CLOSED);
	fdrec_set_kind(rec, FD_UNKNOWN);
	wipe(rec);
}

static void take_row(int fd, struct fdrec *rec)
{
	int is_own;

	store_relaxed(&rec->socket, stats_claim_socket(fd, &is_own));
	rec->has_row = (uint8_t)is_own;
	rec->row_turn = load_relaxed(&rec->socket->turn);
	rec->socket->kind = rec->socket_kind;
	rec->socket->cookie = rec->cookie;
	rec->socket->local = rec->local;
}

static enum socket_kind kind_of(int domain, int protocol)
{
	if (domain == AF_UNIX)
		return SOCKET_KIND_UNIX;
	if (protocol == IPPROTO_TCP)
		return SOCKET_KIND_TCP;
	return protocol == 262 /* IPPROTO_MPTCP */ ? SOCKET_KIND_MPTCP : SOCKET_KIND_OTHER;
}

void socket_start(int fd, struct fdrec *rec, enum fd_kind kind, enum socket_kind socket_kind)
{
	socket_give_up(rec);
	rec->socket_kind = socket_kind;
	if (kind == FD_QUIET || kind == FD_LISTENER) {
		take_row(fd, rec);
		rec->socket->is_listener = kind == FD_LISTENER;
	}
	fdrec_set_kind(rec, kind);
}

static void ask_what(int fd, struct fdrec *rec)
{
	int type = sys_sockopt_int(fd, SOL_SOCKET, SO_TYPE);
	int domain, protocol;

	if (type == -ENOTSOCK) {
		socket_start(fd, rec, FD_NOT_SOCKET, SOCKET_KIND_UNKNOWN);
		return;
	}
	if (type < 0) { /* EBADF, or a filter refuses: pass through, ask again next time */
		socket_give_up(rec);
		return;
	}
	if (type != SOCK_STREAM) {
		socket_start(fd, rec, FD_OTHER_SOCKET, SOCKET_KIND_UNKNOWN);
		return;
	}
	if (!stats_begin()) {
		socket_give_up(rec);
		return;
	}
	domain = sys_sockopt_int(fd, SOL_SOCKET, SO_DOMAIN);
	protocol = sys_sockopt_int(fd, SOL_SOCKET, SO_PROTOCOL);
	socket_start(fd, rec,
		     sys_sockopt_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 ? FD_LISTENER : FD_QUIET,
		     kind_of(domain, protocol));
	store_relaxed(&rec->cookie, sys_cookie(fd));
	rec->socket->cookie = rec->cookie;
	/* It may be a dup of a socket we know. */
	store_relaxed(&rec->owes_error, (uint8_t)kept_has(rec->cookie));
}

/* Asks the kernel what the descriptor is. Lock held. */
static void find_out(int fd, struct fdrec *rec)
{
	int32_t epoll_fd = load_relaxed(&rec->epoll_fd);
	uint64_t epoll_data = load_relaxed(&rec->epoll_data);
	uint32_t ctls = load_acquire(&rec->ctls), epoll_mask = load_relaxed(&rec->epoll_mask);

	ask_what(fd, rec);
	/* Hosts register eventfds, pipes and inherited listeners before their first use: the
	 * number's latest registration is of what we have just found. */
	store_relaxed(&rec->epoll_data, epoll_data);
	store_relaxed(&rec->epoll_fd, epoll_fd);
	store_relaxed(&rec->epoll_mask, epoll_mask);
	/* Unless another thread has changed it meanwhile: then we have written over what it noted. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (load_relaxed(&rec->ctls) != ctls)
		or_relaxed(&rec->epoll_mask, EPOLLEXCLUSIVE);
}

/* The record was made before a fork: the socket is the same, its row stayed with the parent. */
static void adopt(int fd, struct fdrec *rec)
{
	enum fd_kind kind = fdrec_kind(rec);

	rec->budget_bytes = 0; /* the parent accounts for it */
	store_relaxed(&rec->users, FD_NO_USER);
	store_relaxed(&rec->writing, 0); /* threads that were are not in the child */
	if (kind == FD_EPOLL) {
		store_relaxed(&rec->epoll, &stats_epoll_sink);
		rec->has_row = 0;
	} else if (kind >= FD_QUIET) {
		take_row(fd, rec);
		rec->socket->is_listener = kind == FD_LISTENER;
		store_relaxed(&rec->is_looked_at, 0);
	}
	fdrec_set_kind(rec, kind);
}

/* The same socket as ever; or a filter that lets nobody ask: a refusal makes no stranger. */
static int is_believed(int fd, const struct fdrec *rec)
{
	return (rec->cookie && rec->cookie == sys_cookie(fd)) ||
	       sys_is_refusal(sys_sockopt_int(fd, SOL_SOCKET, SO_TYPE));
}

enum fd_kind socket_resolve(int fd, struct fdrec *rec)
{
	enum fd_kind kind = fdrec_kind(rec);

	if (likely(fdrec_is_current(rec) && kind != FD_UNKNOWN && kind != FD_DOUBT))
		return kind;
	/* Only stream sockets need the statistics: a shell that writes to a pipe makes no file. */
	if (!unspin_is_on || (kind >= FD_QUIET && !stats_begin()) || !fdrec_try_lock(rec))
		return FD_UNKNOWN;
	/* Somebody may have been faster between the look and the lock. */
	kind = fdrec_kind(rec);
	if (kind == FD_UNKNOWN)
		find_out(fd, rec);
	else if (!fdrec_is_current(rec))
		adopt(fd, rec);
	if (fdrec_kind(rec) == FD_DOUBT) {
		if (is_believed(fd, rec)) {
			rec->socket->closed_ns = 0;
			fdrec_set_kind(rec, spin_is_stalled(&rec->spin) ? FD_STALLED : FD_QUIET);
		} else {
			find_out(fd, rec);
		}
	}
	kind = fdrec_kind(rec);
	fdrec_unlock(rec);
	return kind;
}

int socket_validate(int fd, struct fdrec *rec)
{
	static uint8_t is_cookie_refused;
	uint64_t cookie = sys_cookie(fd);
	int type;

	if (!rec->cookie) {
		store_relaxed(&rec->cookie, cookie);
		rec->socket->cookie = cookie;
	}
	if (cookie && cookie == rec->cookie)
		return 1;
	if (!cookie) {
		/* A filter or an old kernel does not answer: the record is all we have. */
		type = sys_sockopt_int(fd, SOL_SOCKET, SO_TYPE);
		if (type == SOCK_STREAM || (type < 0 && type != -ENOTSOCK && type != -EBADF)) {
			stats_refused(&is_cookie_refused);
			return 1;
		}
	}
	stats_global_add(GLOBAL_STRANGERS, 1);
	find_out(fd, rec);
	return 0;
}

struct fdrec *socket_begin_new(int fd)
{
	struct fdrec *rec;

	if (!unspin_is_on || !stats_begin())
		return NULL;
	thread_claim();
	rec = fdtable_get(fd);
	return rec && fdrec_try_lock(rec) ? rec : NULL;
}

void socket_created(int fd, int domain, int type, int protocol)
{
	struct guard g = guard_enter();
	struct fdrec *rec = socket_begin_new(fd);
	int is_ip = domain == AF_INET || domain == AF_INET6;

	if (rec) {
		/* SOCK_STREAM over IP without a protocol is TCP (ip(7)). */
		if ((type & 15) == SOCK_STREAM)
			socket_start(fd, rec, FD_QUIET,
			      kind_of(domain, is_ip && !protocol ? IPPROTO_TCP : protocol));
		else
			socket_start(fd, rec, FD_OTHER_SOCKET, SOCKET_KIND_UNKNOWN);
		fdrec_unlock(rec);
	}
	guard_leave(g);
}

void socket_host_fixed(int fd)
{
	struct fdrec *rec = unspin_is_on ? fdtable_find(fd) : NULL;

	if (rec)
		store_relaxed(&rec->is_host_fixed, 1);
}

void socket_host_lowat(int fd, int bytes)
{
	struct fdrec *rec = unspin_is_on ? fdtable_find(fd) : NULL;

	if (rec)
		store_relaxed(&rec->has_lowat, bytes > 0);
}
