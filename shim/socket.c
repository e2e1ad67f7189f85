/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include "../policy/class.h"
#include "ahead.h"
#include "classes.h"
#include "epoll_map.h"
#include "fdlock.h"
#include "guard.h"
#include "stats.h"
#include "retry.h"
#include "sys.h"
#include "thread.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

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
	rec->socket = &stats_socket_sink;
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
	memset((char *)rec + offsetof(struct fdrec, spin), 0,
	       offsetof(struct fdrec, retrying) - offsetof(struct fdrec, spin));
	store_relaxed(&rec->epoll_fd, -1);
}

/* Ends what the record stood for: last response, row, budget. Lock held. */
static void give_up(struct fdrec *rec)
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

	rec->socket = stats_claim_socket(fd, &is_own);
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

/* Starts a record of the given meaning on whatever was there before. Lock held. */
static void start(int fd, struct fdrec *rec, enum fd_kind kind, enum socket_kind socket_kind)
{
	give_up(rec);
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
		start(fd, rec, FD_NOT_SOCKET, SOCKET_KIND_UNKNOWN);
		return;
	}
	if (type < 0) { /* EBADF, or a filter refuses: pass through, ask again next time */
		give_up(rec);
		return;
	}
	if (type != SOCK_STREAM) {
		start(fd, rec, FD_OTHER_SOCKET, SOCKET_KIND_UNKNOWN);
		return;
	}
	if (!stats_begin()) {
		give_up(rec);
		return;
	}
	domain = sys_sockopt_int(fd, SOL_SOCKET, SO_DOMAIN);
	protocol = sys_sockopt_int(fd, SOL_SOCKET, SO_PROTOCOL);
	start(fd, rec, sys_sockopt_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 ? FD_LISTENER : FD_QUIET,
	      kind_of(domain, protocol));
	rec->cookie = sys_cookie(fd);
	rec->socket->cookie = rec->cookie;
}

/* Asks the kernel what the descriptor is. Lock held. */
static void find_out(int fd, struct fdrec *rec)
{
	int32_t epoll_fd = rec->epoll_fd;
	uint64_t epoll_data = rec->epoll_data;
	uint8_t is_edge = rec->is_edge;

	ask_what(fd, rec);
	/* Hosts register eventfds, pipes and inherited listeners before their first use: the
	 * number's latest registration is of what we have just found. */
	store_relaxed(&rec->epoll_data, epoll_data);
	store_relaxed(&rec->epoll_fd, epoll_fd);
	rec->is_edge = is_edge;
}

/* The record was made before a fork: the socket is the same, its row stayed with the parent. */
static void adopt(int fd, struct fdrec *rec)
{
	enum fd_kind kind = fdrec_kind(rec);

	rec->budget_bytes = 0; /* the parent accounts for it */
	rec->users = FD_NO_USER;
	rec->writing = 0; /* threads that were are not in the child */
	if (kind == FD_EPOLL) {
		rec->epoll = &stats_epoll_sink;
		rec->has_row = 0;
	} else if (kind >= FD_QUIET) {
		take_row(fd, rec);
		rec->socket->is_listener = kind == FD_LISTENER;
		rec->is_looked_at = 0;
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
		rec->cookie = cookie;
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

/* The record of a descriptor number the kernel has just given out, locked; NULL: leave it. */
static struct fdrec *begin_new(int fd)
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
	struct fdrec *rec = begin_new(fd);
	int is_ip = domain == AF_INET || domain == AF_INET6;

	if (rec) {
		/* SOCK_STREAM over IP without a protocol is TCP (ip(7)). */
		if ((type & 15) == SOCK_STREAM)
			start(fd, rec, FD_QUIET,
			      kind_of(domain, is_ip && !protocol ? IPPROTO_TCP : protocol));
		else
			start(fd, rec, FD_OTHER_SOCKET, SOCKET_KIND_UNKNOWN);
		fdrec_unlock(rec);
	}
	guard_leave(g);
}

static void store_addr(struct stats_addr *to, const void *from, unsigned bytes)
{
	const struct sockaddr_in *in = from;
	const struct sockaddr_in6 *in6 = from;

	if (bytes < sizeof(sa_family_t))
		return;
	memset(to, 0, sizeof(*to));
	to->family = in->sin_family;
	if (in->sin_family == AF_INET && bytes >= sizeof(*in)) {
		to->port = ntohs(in->sin_port);
		memcpy(to->ip, &in->sin_addr, 4);
	} else if (in->sin_family == AF_INET6 && bytes >= sizeof(*in6)) {
		to->port = ntohs(in6->sin6_port);
		memcpy(to->ip, &in6->sin6_addr, 16);
		to->scope = in6->sin6_scope_id;
	}
}

static void ask_addr(int fd, long call, struct stats_addr *to)
{
	struct sockaddr_storage address;
	unsigned bytes = sizeof(address);

	if (sys_call(call, fd, &address, &bytes, 0, 0, 0) == 0)
		store_addr(to, &address, bytes < sizeof(address) ? bytes : sizeof(address));
}

void socket_listening(int fd)
{
	struct guard g = guard_enter();
	struct fdrec *rec = unspin_is_on ? fdtable_get(fd) : NULL;

	if (rec && socket_resolve(fd, rec) >= FD_QUIET && fdrec_try_lock(rec)) {
		rec->socket->is_listener = 1;
		ask_addr(fd, SYS_getsockname, &rec->local);
		rec->socket->local = rec->local;
		fdrec_set_kind(rec, FD_LISTENER);
		fdrec_unlock(rec);
	}
	guard_leave(g);
}

void socket_dialled(int fd, const struct sockaddr *to, socklen_t to_bytes)
{
	struct guard g = guard_enter();
	struct fdrec *rec = unspin_is_on ? fdtable_get(fd) : NULL;

	if (rec && socket_resolve(fd, rec) >= FD_QUIET) {
		rec->socket->is_dialled = 1;
		store_addr(&rec->socket->peer, to, to_bytes);
		rec->port = rec->socket->peer.port + CLASS_PORT_DIALLED;
	}
	guard_leave(g);
}

void socket_accepted(int listener, int fd, const struct sockaddr *peer, socklen_t peer_bytes)
{
	struct guard g = guard_enter();
	struct fdrec *from = fdtable_get(listener), *rec;
	int is_known = from && socket_resolve(listener, from) == FD_LISTENER;

	rec = begin_new(fd); /* after the listener: one lock at a time */
	if (rec && is_known) {
		start(fd, rec, FD_QUIET, (enum socket_kind)from->socket_kind);
		rec->has_lowat = from->has_lowat; /* both inherited from the listener */
		rec->is_host_fixed = from->is_host_fixed;
		rec->socket->local = rec->local = from->local;
		rec->port = from->local.port;
		if (peer)
			store_addr(&rec->socket->peer, peer, peer_bytes);
	} else if (rec) {
		give_up(rec); /* whatever it is: asked at its first use */
	}
	if (rec)
		fdrec_unlock(rec);
	guard_leave(g);
}

void epoll_created(int epfd)
{
	struct guard g = guard_enter();
	struct fdrec *rec = unspin_is_on ? fdtable_get(epfd) : NULL;

	/* Begins the region too: a master that inherits its listeners over exec (nginx's upgrade)
	 * makes no socket itself, and its workers have no rights to make a file later. */
	if (rec && stats_begin() && fdrec_try_lock(rec)) {
		start(epfd, rec, FD_EPOLL, SOCKET_KIND_UNKNOWN);
		fdrec_unlock(rec);
	}
	guard_leave(g);
}

COLD void epoll_take_row(int epfd, struct fdrec *rec)
{
	if (!fdrec_try_lock(rec))
		return;
	rec->has_row = 1; /* or the sink for good: rows are not asked for at every wait */
	rec->epoll = stats_claim_epoll(epfd);
	fdrec_unlock(rec);
}

void socket_host_fixed(int fd)
{
	struct fdrec *rec = unspin_is_on ? fdtable_find(fd) : NULL;

	if (rec)
		rec->is_host_fixed = 1;
}

void socket_host_lowat(int fd, int bytes)
{
	struct fdrec *rec = unspin_is_on ? fdtable_find(fd) : NULL;

	if (rec)
		rec->has_lowat = bytes > 0;
}

/* In a vfork child our memory is the parent's, whose descriptors stay open. */
static int is_foreign_process(void)
{
	const struct stats_header *h = load_acquire(&stats.header);

	return h && sys_getpid() != h->pid;
}

static void forget(struct fdrec *rec)
{
	if (fdrec_try_lock(rec)) {
		give_up(rec);
		fdrec_unlock(rec);
	}
}

struct fdrec *socket_closing(int fd)
{
	struct fdrec *rec = fdtable_find(fd);
	struct guard g;

	if (!rec)
		return NULL;
	if (fdrec_kind(rec) == FD_UNKNOWN) {
		/* Nothing to forget; but another thread may find out right now what it is. (A vfork
		 * child comes here too: its parent's retry on the same number ends, which is legal.) */
		retry_closing(rec);
		return rec;
	}
	g = guard_enter();
	if (is_foreign_process()) {
		rec = NULL;
	} else {
		retry_closing(rec);
		forget(rec);
	}
	guard_leave(g);
	return rec;
}

void socket_closed(struct fdrec *rec)
{
	if (rec)
		retry_closed(rec);
}

void socket_renewed(int fd)
{
	struct fdrec *rec = fdtable_find(fd);
	struct guard g;

	if (!rec || fdrec_kind(rec) == FD_UNKNOWN)
		return;
	g = guard_enter();
	if (!is_foreign_process())
		forget(rec);
	guard_leave(g);
}

int socket_closing_range(unsigned first, unsigned last)
{
	unsigned end = (unsigned)fdtable_end();
	struct guard g = guard_enter();
	int is_ours = !is_foreign_process();

	if (is_ours)
		retry_range_closing();
	for (unsigned fd = first; is_ours && fd < end && fd <= last; fd++)
		socket_closed(socket_closing((int)fd));
	guard_leave(g);
	return is_ours;
}

void socket_closed_range(int token)
{
	if (token)
		retry_range_closed();
}

void socket_doubt(int fd)
{
	struct fdrec *rec = fdtable_find(fd);
	enum fd_kind kind = rec ? fdrec_kind(rec) : FD_UNKNOWN;
	struct guard g;

	if ((kind != FD_QUIET && kind != FD_STALLED) || !fdrec_is_current(rec))
		return;
	g = guard_enter();
	if (fdrec_try_lock(rec)) {
		if (!rec->cookie)
			rec->cookie = rec->socket->cookie = sys_cookie(fd);
		spin_release(&rec->spin);
		rec->socket->closed_ns = sys_now(); /* readers say "closing" */
		fdrec_set_kind(rec, FD_DOUBT);
		fdrec_unlock(rec);
	}
	guard_leave(g);
}

void socket_look(int fd, struct fdrec *rec)
{
	struct socket_row *row = rec->socket;
	int sndbuf;

	rec->is_looked_at = 1;
	if (!rec->has_row)
		return;
	ask_addr(fd, SYS_getsockname, &row->local);
	if (!row->peer.family)
		ask_addr(fd, SYS_getpeername, &row->peer);
	sndbuf = sys_sockopt_int(fd, SOL_SOCKET, SO_SNDBUF);
	if (sndbuf > 0) {
		row->sndbuf_now = (uint64_t)sndbuf;
		if (!row->sndbuf_start)
			row->sndbuf_start = row->sndbuf_now;
	}
}

void epoll_registered(int epfd, int op, int fd, const struct epoll_event *event)
{
	struct fdrec *rec = fdtable_get(fd);
	struct guard g = guard_enter();

	if (!rec)
		goto out;
	if (stats_has_begun()) {
		struct epoll_row *row = epoll_row_of(epfd);

		count_add(op == EPOLL_CTL_ADD   ? &row->adds
			  : op == EPOLL_CTL_MOD ? &row->mods
						: &row->dels,
			  1);
	}
	/* The host has dealt with the socket's last event: it was not for nothing. */
	store_relaxed(&rec->pending, 0);
	if (op == EPOLL_CTL_DEL) {
		if (load_relaxed(&rec->epoll_fd) == epfd)
			store_relaxed(&rec->epoll_fd, -1);
		socket_doubt(fd);
		goto out;
	}
	epoll_map_note(epfd, fd, event->data.u64);
	rec->is_edge = (event->events & EPOLLET) != 0;
	/* A registered number that was a file before may be a socket by now. */
	if (op == EPOLL_CTL_ADD && fdrec_kind(rec) == FD_NOT_SOCKET)
		store_relaxed(&rec->tag, FD_UNKNOWN);
	/* Registered for writing after a stall: the thread means to wait, not to spin. */
	if (fdrec_kind(rec) == FD_STALLED && fdrec_try_lock(rec)) {
		spin_release(&rec->spin);
		fdrec_unlock(rec);
	}
out:
	guard_leave(g);
}
