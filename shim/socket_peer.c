/* SPDX-License-Identifier: MIT */
/* Connections: how they came about, and between whom. */
#include "socket.h"

#include "../policy/class.h"
#include "exclusive.h"
#include "fdlock.h"
#include "guard.h"
#include "sys.h"
#include "watch.h"

#include <netinet/in.h>
#include <string.h>

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
		if (exclusive_is_on)
			watch_begin();
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

	rec = socket_begin_new(fd); /* after the listener: one lock at a time */
	if (rec && is_known) {
		socket_start(fd, rec, FD_QUIET, (enum socket_kind)from->socket_kind);
		/* Both are inherited from the listener. */
		store_relaxed(&rec->has_lowat, load_relaxed(&from->has_lowat));
		store_relaxed(&rec->is_host_fixed, load_relaxed(&from->is_host_fixed));
		rec->socket->local = rec->local = from->local;
		rec->port = from->local.port;
		if (peer)
			store_addr(&rec->socket->peer, peer, peer_bytes);
	} else if (rec) {
		socket_give_up(rec); /* whatever it is: asked at its first use */
	}
	if (rec)
		fdrec_unlock(rec);
	guard_leave(g);
}

void socket_look(int fd, struct fdrec *rec)
{
	struct socket_row *row = rec->socket;
	int sndbuf;

	store_relaxed(&rec->is_looked_at, 1);
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
