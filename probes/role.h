/* SPDX-License-Identifier: MIT */
/*
 * What kind of thread this is, from what it has done. The numbers are those of enum thread_role
 * in the statistics layout, which the shim asserts.
 *
 *	reactor      waits for many descriptors at once and is given events
 *	connection   does its sockets' I/O itself, without such waits, and took them from nobody
 *	worker       takes sockets over that another thread has used before
 */
#ifndef UNSPIN_ROLE_H
#define UNSPIN_ROLE_H

#include <stdint.h>

enum role { ROLE_IS_UNKNOWN, ROLE_IS_REACTOR, ROLE_IS_WORKER, ROLE_IS_CONNECTION };

struct role_facts {
	uint64_t io_calls;	/* reads, writes, accepts */
	uint64_t wait_events;	/* events its multiplexed waits returned */
	uint64_t sockets_first; /* sockets it was the first to use */
	uint64_t sockets_taken; /* sockets it took over from another thread */
};

enum role role_of(const struct role_facts *facts);

#endif
