/* SPDX-License-Identifier: MIT */
/* Servers of one thread without epoll: one that never waits, one on poll, one on select. */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define STEP_BYTES 300000

/* One turn of connection i; true when it has ended. */
static int turn(struct crowd *crowd, uint32_t i, enum step *ret_step)
{
	struct conn *c = crowd->open[i];

	*ret_step = conn_step(c, STEP_BYTES, 0);
	if (*ret_step != STEP_DONE && !conn_is_stuck(c))
		return 0;
	conn_end(c, -1);
	crowd_drop(crowd, i);
	return 1;
}

/* Retries at once, a number of times that goes well beyond what makes a spinner (16). */
static void spin_on(struct crowd *crowd, uint32_t i, int *ret_is_idle)
{
	struct conn *c = crowd->open[i];
	uint32_t tries = chance_range(c->plan->draw, 1, 120);
	enum step step = STEP_MORE;

	while (tries--) {
		if (turn(crowd, i, &step))
			break;
		if (step == STEP_IN)
			return;
	}
	*ret_is_idle = 0;
}

void scene_spin(const struct scene_plan *s)
{
	struct crowd crowd;

	crowd_begin(&crowd, s, 1);
	while (!crowd_is_over(&crowd)) {
		int is_idle = 1;

		while (crowd_more(&crowd))
			is_idle = 0;
		for (uint32_t i = 0; i < crowd.count; i++)
			spin_on(&crowd, i, &is_idle);
		if (is_idle)
			sched_yield();
	}
	crowd_end(&crowd);
}

/* New connections come by the listener, which stands first in both lists. */
static int may_accept(const struct crowd *crowd)
{
	return crowd->to_accept && crowd->count < crowd->scene->width;
}

void scene_poll(const struct scene_plan *s)
{
	struct pollfd fds[MAX_CONNS + 1];
	struct crowd crowd;
	uint64_t at = s->draw;
	enum step step;

	crowd_begin(&crowd, s, 1);
	while (!crowd_is_over(&crowd)) {
		while (crowd_more(&crowd))
			;
		fds[0] = (struct pollfd){ may_accept(&crowd) ? crowd.listener : -1, POLLIN, 0 };
		for (uint32_t i = 0; i < crowd.count; i++)
			fds[i + 1] = (struct pollfd){ crowd.open[i]->fd,
						      (short)conn_wants(crowd.open[i]), 0 };
		call_poll(fds, crowd.count + 1, 20, chance_next(&at));
		for (uint32_t i = crowd.count; i-- > 0;)
			if (fds[i + 1].revents || conn_is_stuck(crowd.open[i]))
				turn(&crowd, i, &step);
	}
	crowd_end(&crowd);
}

void scene_select(const struct scene_plan *s)
{
	struct crowd crowd;
	uint64_t at = s->draw;
	enum step step;

	crowd_begin(&crowd, s, 1);
	while (!crowd_is_over(&crowd)) {
		fd_set in, out;
		int top = crowd.listener;

		while (crowd_more(&crowd))
			;
		FD_ZERO(&in);
		FD_ZERO(&out);
		if (may_accept(&crowd))
			FD_SET(crowd.listener, &in);
		for (uint32_t i = 0; i < crowd.count; i++) {
			FD_SET(crowd.open[i]->fd,
			       conn_wants(crowd.open[i]) == EPOLLIN ? &in : &out);
			top = crowd.open[i]->fd > top ? crowd.open[i]->fd : top;
		}
		if (call_select(top + 1, &in, &out, 20, chance_next(&at)) < 0)
			continue;
		for (uint32_t i = crowd.count; i-- > 0;) {
			int fd = crowd.open[i]->fd;

			if (FD_ISSET(fd, &in) || FD_ISSET(fd, &out) || conn_is_stuck(crowd.open[i]))
				turn(&crowd, i, &step);
		}
	}
	crowd_end(&crowd);
}
