/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets, one for each copy of the server, all on the same port. With SO_REUSEPORT
 * the kernel deals clients out among them by a hash of their address, so that a copy never wakes
 * up for a client another one took, as it would on one inherited listener. The hash is no turn:
 * with few clients the copies' shares differ. With settings.is_listener_shared it is that one
 * inherited listener after all, wake-ups included.
 */
#ifndef REACTOR_LISTENER_H
#define REACTOR_LISTENER_H

struct settings;

/* Open count non-blocking listeners as the settings say; ret_fds: room for them. 0, or -errno
 * after saying on stderr what failed; then none is open. */
int listeners_open(const struct settings *settings, int *ret_fds, long count);

#endif
