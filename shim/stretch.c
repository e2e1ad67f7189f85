/* SPDX-License-Identifier: MIT */
#include "stretch.h"

#include "epoll_set.h"
#include "guard.h"
#include "sys.h"

#include <poll.h>

static uint32_t max_us; /* 0: off */

void stretch_configure(const struct config *config)
{
	if (config->value[CONFIG_mode] == MODE_ADAPT &&
	    config->value[CONFIG_wake] & (WAKE_AUTO | WAKE_STRETCH))
		max_us = (uint32_t)config->value[CONFIG_stretch_max_us];
}

void stretch_note(struct thread_context *context, unsigned seen, int64_t timeout_ns, int returned)
{
	int is_short = wakeup_wants_return(timeout_ns, returned);

	/* A longer or failed wait is no work that came late: as an event, it only ends the run. */
	if (max_us)
		wake_stretch_wait(&context->stretch,
				  seen & WAKEUP_IDLE ? WAKE_POLL_IDLE
				  : is_short	     ? WAKE_POLL_WORK
						     : WAKE_POLL_EVENTS,
				  is_short ? (uint32_t)(timeout_ns / 1000) : 0, max_us);
}

COLD int stretch_epoll_slow(uint64_t enter_ns, int64_t timeout_ns, int epfd,
			    struct epoll_event *events, int max, const sigset_t *mask)
{
	static uint8_t is_refused;
	struct thread_context *context = thread_self.context;
	int64_t more_ns = (int64_t)context->stretch.us * 1000 - timeout_ns;
	struct pollfd set = { .fd = epfd, .events = POLLIN };
	struct timespec t = { 0, more_ns };
	uint64_t began;
	long r;

	/* This one is not idle, or the host waits long enough by itself. */
	if (timeout_ns < 0 || more_ns <= 0 || load_relaxed(&is_refused) || epoll_set_is_foreign(epfd) ||
	    !wakeup_is_idle_before(&context->wakeup, thread_io_calls(), enter_ns))
		return 0;
	began = sys_now();
	/* The time between two polls that do not wait is under the thread's own mask, not the polls':
	 * such a poll lets no signal in. */
	r = sys_call(SYS_ppoll, &set, 1, &t, timeout_ns ? mask : NULL, 8, 0);
	thread_add(TOTAL_STRETCHED_POLLS, 1);
	thread_add(TOTAL_STRETCHED_NS, sys_now() - began);
	if (sys_is_refusal(r))
		stats_refused(&is_refused);
	if (r == -EINTR)
		context->stretch.us = context->stretch.idles = 0; /* its handler may have left work */
	/* Where the host waits itself, it would have waited again by now, and heard of it there. */
	if (r == -EINTR && timeout_ns) {
		errno = EINTR;
		return -1;
	}
	if (r <= 0)
		return 0;
	r = sys_call(SYS_epoll_pwait, epfd, events, max, 0, mask, 8);
	return r > 0 ? (int)r : 0;
}
