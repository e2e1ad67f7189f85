/* SPDX-License-Identifier: MIT */
/* Descriptors come and go. Records are closed before the real close: afterwards the number may
 * already be somebody else's. */
#include "hooks.h"

#include <linux/close_range.h>
#include <netinet/in.h>
#include <unistd.h>

#include "epoll_map.h"
#include "exclusive.h"
#include "mask.h"
#include "observe.h"

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25 /* linux/tcp.h, Linux 3.12 */
#endif

int socket(int domain, int type, int protocol)
{
	int fd = real.socket(domain, type, protocol);

	if (fd >= 0)
		socket_created(fd, domain, type, protocol);
	return fd;
}

/* Node makes pipes to its children of these, on numbers whose closing nobody saw. */
int socketpair(int domain, int type, int protocol, int pair[2])
{
	int r = real.socketpair(domain, type, protocol, pair);

	/* Asked at their first use, not begun here: one end often goes to a child unused and is
	 * closed out of our sight (libuv), and its number may be a file's next. */
	if (r == 0) {
		socket_renewed(pair[0]);
		socket_renewed(pair[1]);
	}
	return r;
}

/*
 * How much room the host has for the peer's address. The kernel says afterwards how long the
 * address is, not how much of it fitted; and a wild pointer must end in EFAULT, not here. Hosts
 * keep this length on the stack, just above our frame, where it can be read; for any other
 * place the answer is 0 and the peer is asked for later (socket_look).
 */
static socklen_t room_for_peer(const socklen_t *bytes)
{
	uintptr_t above = (uintptr_t)bytes - (uintptr_t)__builtin_frame_address(0);

	return above < 65536 ? *bytes : 0;
}

int accept(int fd, struct sockaddr *peer, socklen_t *peer_bytes)
{
	socklen_t room = room_for_peer(peer_bytes);
	int r = real.accept(fd, peer, peer_bytes);
	int is_whole = r >= 0 && peer && *peer_bytes <= room;

	observe_accept(fd, r, is_whole ? peer : NULL, is_whole ? *peer_bytes : 0,
		       __builtin_return_address(0));
	return r;
}

int accept4(int fd, struct sockaddr *peer, socklen_t *peer_bytes, int flags)
{
	socklen_t room = room_for_peer(peer_bytes);
	int r = real.accept4(fd, peer, peer_bytes, flags);
	int is_whole = r >= 0 && peer && *peer_bytes <= room;

	observe_accept(fd, r, is_whole ? peer : NULL, is_whole ? *peer_bytes : 0,
		       __builtin_return_address(0));
	return r;
}

int connect(int fd, const struct sockaddr *to, socklen_t to_bytes)
{
	int r = real.connect(fd, to, to_bytes);

	if (r == 0 || errno == EINPROGRESS) /* so the kernel has read the address */
		socket_dialled(fd, to, to_bytes);
	return r;
}

int listen(int fd, int backlog)
{
	int r = real.listen(fd, backlog);

	if (r == 0)
		socket_listening(fd);
	return r;
}

int epoll_create(int size)
{
	int fd = real.epoll_create(size);

	if (fd >= 0)
		epoll_created(fd);
	return fd;
}

int epoll_create1(int flags)
{
	int fd = real.epoll_create1(flags);

	if (fd >= 0)
		epoll_created(fd);
	return fd;
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct mask_ctl ctl = mask_ctl_begin(fd);
	struct exclusive_call call = exclusive_begin(op, fd);
	int r = real.epoll_ctl(epfd, op, fd, event);

	if (unlikely(call.is_held))
		r = exclusive_end(&call, epfd, op, fd, event, r);
	if (r == 0 && unspin_is_on)
		epoll_registered(epfd, op, fd, op == EPOLL_CTL_DEL ? NULL : event);
	else if (op == EPOLL_CTL_DEL && unspin_is_on)
		socket_doubt(fd); /* not registered, but about to be closed: libuv always asks */
	mask_ctl_end(ctl);
	return r;
}

int close(int fd)
{
	struct fdrec *closing = socket_closing(fd);
	int r = real.close(fd);

	socket_closed(closing);
	return r;
}

int close_range(unsigned first, unsigned last, int flags)
{
	int closing = !(flags & CLOSE_RANGE_CLOEXEC) && socket_closing_range(first, last);
	int r = real.close_range(first, last, flags);

	socket_closed_range(closing);
	return r;
}

void closefrom(int first)
{
	int closing = socket_closing_range(first < 0 ? 0 : (unsigned)first, ~0u);

	real.closefrom(first);
	socket_closed_range(closing);
}

int dup(int fd)
{
	int r = real.dup(fd);

	if (r >= 0)
		socket_renewed(r);
	return r;
}

int dup2(int fd, int to)
{
	struct fdrec *closing = fd != to ? socket_closing(to) : NULL;
	int r = real.dup2(fd, to);

	socket_closed(closing);
	return r;
}

int dup3(int fd, int to, int flags)
{
	struct fdrec *closing = fd != to ? socket_closing(to) : NULL;
	int r = real.dup3(fd, to, flags);

	socket_closed(closing);
	return r;
}

/* Ends a wait by itself: the kernel calls a socket shut for writing writable (POLLOUT). */
int shutdown(int fd, int how)
{
	return real.shutdown(fd, how);
}

/* What the host sets itself is a fact to respect. */
int setsockopt(int fd, int level, int option, const void *value, socklen_t bytes)
{
	int r = real.setsockopt(fd, level, option, value, bytes);

	if (r == 0 && level == SOL_SOCKET && option == SO_SNDBUF)
		socket_host_fixed(fd);
	else if (r == 0 && level == IPPROTO_TCP && option == TCP_NOTSENT_LOWAT && value)
		socket_host_lowat(fd, *(const int *)value);
	return r;
}

HOOK_ALIAS(connect, __connect);
HOOK_ALIAS(close, __close);
HOOK_ALIAS(dup2, __dup2);
