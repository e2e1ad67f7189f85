/* SPDX-License-Identifier: MIT */
#include "gather.h"

#include "epoll_set.h"
#include "guard.h"
#include "sys.h"

/* Shorter waits are the host's timers: they would end late. */
#define GATHER_WAIT_NS (100ll * GATHER_NAP_US * 1000)

#define GATHER_LOOK_EVERY 16 /* waits: a clock and a walk over the threads' rows */

static uint32_t nap_ns; /* 0: off */
static int is_forced;
static uint8_t is_refused;

void gather_configure(const struct config *config)
{
	uint64_t wake = config->value[CONFIG_wake], us = config->value[CONFIG_stretch_max_us];

	if (config->value[CONFIG_mode] == MODE_ADAPT && wake & (WAKE_AUTO | WAKE_GATHER))
		nap_ns = 1000 * (uint32_t)(us < GATHER_NAP_US ? us : GATHER_NAP_US);
	is_forced = (wake & WAKE_GATHER) != 0;
}

/* What the process has moved on its sockets: all threads' rows, read as a reader would. */
static uint64_t work_done(void)
{
	const struct section *section = &stats.header->section[SECTION_THREADS];
	uint64_t bytes = load_relaxed(&stats.header->departed[TOTAL_READ_BYTES]) +
			 load_relaxed(&stats.header->departed[TOTAL_WRITE_BYTES]);

	for (uint64_t i = 0; i < section->count; i++) {
		const struct thread_row *row = &stats.threads[i];

		if (!load_relaxed(&row->turn))
			break; /* rows are taken in order: none beyond was ever */
		bytes += load_relaxed(&row->total[TOTAL_READ_BYTES]) +
			 load_relaxed(&row->total[TOTAL_WRITE_BYTES]);
	}
	return bytes;
}

static struct gather_sample sample(int with_work)
{
	return (struct gather_sample){
		.now_ns = sys_now(),
		.waits = thread_total(TOTAL_WAITS),
		.events = thread_total(TOTAL_WAIT_EVENTS),
		.work = with_work ? work_done() : 0,
	};
}

static void look(struct thread_context *context, int epfd)
{
	struct gather_sample now = sample(context->gather.state != GATHER_OFF);

	switch (gather_look(&context->gather, &now, is_forced)) {
	case GATHER_GO_ON:
		return;
	case GATHER_PAYS:
		stats_decision(&stats_socket_sink, epfd, STRATEGY_GATHER, REASON_GATHER_PAYS, 0, 0);
		return;
	case GATHER_NOT_THIN:
		stats_decision(&stats_socket_sink, epfd, STRATEGY_NONE, REASON_GATHER_NOT_THIN, 0, 0);
		return;
	case GATHER_GIVEN_UP:
		stats_decision(&stats_socket_sink, epfd, STRATEGY_NONE, REASON_GATHER_NO_GAIN, 0, 0);
		return;
	}
}

void gather_look_now(struct thread_context *context)
{
	if (nap_ns && !load_relaxed(&is_refused) && context->gather.state == GATHER_OFF)
		look(context, -1);
}

/* 0: a signal's handler has run. */
static int nap(const sigset_t *mask)
{
	struct timespec t = { 0, (long)nap_ns };
	long r = sys_call(SYS_ppoll, NULL, 0, &t, mask, 8, 0);

	if (sys_is_refusal(r))
		stats_refused(&is_refused);
	return r != -EINTR;
}

COLD int gather_before_slow(struct thread_context *context, int epfd, int64_t timeout_ns,
			    const sigset_t *mask)
{
	struct gather *g = &context->gather;
	uint64_t began;
	int may_wait = 1;

	if ((timeout_ns >= 0 && timeout_ns < GATHER_WAIT_NS) || epoll_set_is_foreign(epfd))
		return 1;
	if (load_relaxed(&is_refused)) {
		g->state = GATHER_OFF;
		return 1;
	}
	if (thread_total(TOTAL_WAITS) % GATHER_LOOK_EVERY == 0)
		look(context, epfd);
	began = sys_now();
	if (g->state == GATHER_PROBE) {
		struct gather_sample now;

		if (sys_is_refusal(sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0)))
			stats_refused(&is_refused);
		now = sample(1);
		gather_probed(g, now.now_ns - began, &now);
	} else if (gather_naps(g)) {
		may_wait = nap(mask);
		thread_add(TOTAL_GATHERED_NS, sys_now() - began);
		thread_add(TOTAL_GATHERED_WAITS, 1);
	}
	if (!may_wait)
		errno = EINTR;
	return may_wait;
}
