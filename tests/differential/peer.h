/* SPDX-License-Identifier: MIT */
/*
 * The other ends. They live in the judge, which is never under the shim: one thread per connection
 * asks, reads at the planned pace, compares every byte with the pattern and ends as planned.
 */
#ifndef DIFFERENTIAL_PEER_H
#define DIFFERENTIAL_PEER_H

#include "plan.h"

/* Listeners and datagram sockets, published on the board: before the host starts. */
void peers_prepare(const struct plan *plan);

/* Starts all threads; control_fd brings descriptors the host passes. */
void peers_start(const struct plan *plan, int control_fd);

/* How many are still at work. */
uint32_t peers_running(void);

#endif
