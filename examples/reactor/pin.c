/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1 /* sched_setaffinity */

#include "pin.h"

#include <errno.h>

#include "server.h"

int pin_init(struct server *srv)
{
	if (!srv->settings.is_pinned)
		return 0;
	return sched_getaffinity(0, sizeof(srv->cpus), &srv->cpus) < 0 ? -errno : 0;
}

/* The index-th core of the set, which is not empty, counting round and round. */
static int cpu_choose(const cpu_set_t *cpus, long index)
{
	int cpu = -1;

	for (index %= CPU_COUNT(cpus); index >= 0; index--) {
		do {
			cpu++;
		} while (!CPU_ISSET(cpu, cpus));
	}
	return cpu;
}

/* A core can be taken away while we run; then the thread stays where the kernel put it. */
static void pin_self(const struct server *srv, long index)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu_choose(&srv->cpus, index), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

void pin_copy(const struct server *srv, long index)
{
	if (srv->settings.is_pinned && srv->settings.copies > 1)
		pin_self(srv, index);
}

void pin_thread(const struct server *srv, long index)
{
	if (srv->settings.is_pinned && srv->settings.copies == 1)
		pin_self(srv, index);
}
