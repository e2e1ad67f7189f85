/* SPDX-License-Identifier: MIT */
#include "role.h"

/*
 * A thread that got an event for at least every 64th of its I/O calls lives from its waits; a
 * worker that polls one descriptor now and then does not.
 */
#define ROLE_IO_PER_EVENT 64

enum role role_of(const struct role_facts *f)
{
	if (f->wait_events && f->wait_events >= f->io_calls / ROLE_IO_PER_EVENT)
		return ROLE_IS_REACTOR;
	if (!f->io_calls)
		return ROLE_IS_UNKNOWN;
	if (f->sockets_taken > f->sockets_first)
		return ROLE_IS_WORKER;
	return ROLE_IS_CONNECTION;
}
