/* SPDX-License-Identifier: MIT */
/*
 * The two hosts and the wire between them, each a network namespace without a name:
 *
 *        server                                     client
 *        veth0 10.200.0.1  ------- data ------->    veth0 10.200.0.2
 *        dly0  <-- to-server [ wire ] from-client <-- dly0
 *
 * Without an RTT there is only veth0 and both directions use it. With one, the client's route to
 * the server leaves through dly0, whose far end is in the third namespace, where wire.c holds each
 * packet back. The server's route stays on veth0: the bytes under measurement never touch user
 * space, only ACKs and requests do.
 */
#ifndef LAB_NET_H
#define LAB_NET_H

#include "lab.h"

#define NET_WIRE_FROM_CLIENT "from-client"
#define NET_WIRE_TO_SERVER   "to-server"

struct net {
	int server_fd; /* the namespace pid 1 was born into */
	int client_fd;
	int wire_fd; /* -1 without an RTT */
};

/* Make everything; the caller is left in the server's namespace. Fails by lab_fail(). */
void net_build(struct net *net, const struct lab_options *options);

/* Move the calling process to a namespace: later sockets and /proc/sys/net belong to it. */
void net_enter(int ns_fd);

#endif
