/* SPDX-License-Identifier: MIT */
#include "gate.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int gate_init(struct gate *gate)
{
	gate->open = 0;
	gate->resume_below = 0;
	gate->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return gate->wake_fd < 0 ? -errno : 0;
}

void gate_clear(struct gate *gate)
{
	if (gate->wake_fd >= 0)
		close(gate->wake_fd);
	gate->wake_fd = -1;
}

void gate_enter(struct gate *gate)
{
	__atomic_add_fetch(&gate->open, 1, __ATOMIC_SEQ_CST);
}

static void gate_wake_below(struct gate *gate, long open)
{
	/* Of several who close at once, the exchange lets one write. */
	if (open < __atomic_load_n(&gate->resume_below, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&gate->resume_below, 0, __ATOMIC_SEQ_CST))
		eventfd_write(gate->wake_fd, 1);
}

void gate_leave(struct gate *gate)
{
	gate_wake_below(gate, __atomic_sub_fetch(&gate->open, 1, __ATOMIC_SEQ_CST));
}

long gate_open(const struct gate *gate)
{
	return __atomic_load_n(&gate->open, __ATOMIC_SEQ_CST);
}

void gate_watch(struct gate *gate, long resume_below)
{
	__atomic_store_n(&gate->resume_below, resume_below, __ATOMIC_SEQ_CST);
	gate_wake_below(gate, gate_open(gate));
}
