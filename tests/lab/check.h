/* SPDX-License-Identifier: MIT */
/*
 * Trust, but measure: before a command starts, one connection from client to server shows that the
 * path works, that it takes the round trip asked for, and that sockets of both ends really have the
 * congestion control asked for (the kernel falls back silently if a route's one is missing).
 */
#ifndef LAB_CHECK_H
#define LAB_CHECK_H

#include "lab.h"
#include "net.h"

/* The delay line must be running. Leaves no socket, not even in TIME_WAIT. Fails by lab_fail(). */
void check_connection(const struct net *net, const struct lab_options *options);

#endif
