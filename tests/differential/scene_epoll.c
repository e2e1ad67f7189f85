/* SPDX-License-Identifier: MIT */
/*
 * Reactors of one thread on epoll. The edge-triggered ones believe only in edges: what stalled is
 * not tried again before its event, so a wake-up that is lost is a connection that hangs.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define LISTENER   1000u
#define STEP_BYTES 400000
#define WAIT_MS	   20
#define IDLE_MS	   250 /* longer than any pause of a peer */

struct reactor {
	struct crowd crowd;
	int epfd, is_edge, short_is_full;
	uint32_t armed[MAX_CONNS]; /* level: events a connection is registered for */
	uint64_t at, last_event_ns;
};

static void add(struct reactor *re, struct conn *c)
{
	struct epoll_event e = { .data.u32 = c->plan->id };

	if (re->is_edge)
		e.events = EPOLLIN | EPOLLOUT | EPOLLET | (c->plan->draw & 64 ? EPOLLRDHUP : 0);
	else
		e.events = c->plan->draw & 64 ? EPOLLIN | EPOLLOUT : conn_wants(c);
	re->armed[c->plan->id] = e.events;
	MUST(epoll_ctl(re->epfd, EPOLL_CTL_ADD, c->fd, &e) == 0);
}

/* Level: some servers switch EPOLLOUT on and off, some leave it on and get it unused. */
static void rearm(struct reactor *re, struct conn *c)
{
	struct epoll_event e = { .events = conn_wants(c), .data.u32 = c->plan->id };

	if (re->is_edge || c->plan->draw & 64 || re->armed[c->plan->id] == e.events)
		return;
	re->armed[c->plan->id] = e.events;
	MUST(epoll_ctl(re->epfd, EPOLL_CTL_MOD, c->fd, &e) == 0);
}

static void finish(struct reactor *re, uint32_t i)
{
	conn_end(re->crowd.open[i], re->epfd);
	crowd_drop(&re->crowd, i);
}

/* Goes on as long as edges have promised; true when the connection is over. */
static int go_on(struct reactor *re, struct conn *c)
{
	uint32_t want;

	while ((want = conn_wants(c)) && c->ready & want) {
		enum step step = conn_step(c, STEP_BYTES, re->short_is_full);

		if (step == STEP_DONE)
			return 1;
		if (step == STEP_OUT || step == STEP_IN)
			c->ready &= (uint8_t) ~(step == STEP_OUT ? EPOLLOUT : EPOLLIN);
	}
	return !want;
}

static void handle(struct reactor *re, const struct epoll_event *e)
{
	struct crowd *crowd = &re->crowd;

	for (uint32_t i = 0; i < crowd->count; i++) {
		struct conn *c = crowd->open[i];
		int is_over;

		if (c->plan->id != e->data.u32)
			continue;
		if (e->events & ~(re->armed[c->plan->id] | EPOLLERR | EPOLLHUP))
			violate("epoll-events", "connection %u: %x of %x", c->plan->id, e->events,
				re->armed[c->plan->id]);
		if (re->is_edge) {
			c->ready |= (uint8_t)(e->events & (EPOLLIN | EPOLLOUT));
			if (e->events & (EPOLLERR | EPOLLHUP))
				c->ready |= EPOLLIN | EPOLLOUT;
			is_over = go_on(re, c);
		} else {
			is_over = conn_step(c, STEP_BYTES, 0) == STEP_DONE;
		}
		if (is_over)
			finish(re, i);
		else
			rearm(re, c);
		return;
	}
}

/* A connection that is ready for what it waits for, by the kernel's own word. */
static struct conn *find_ready(struct reactor *re)
{
	for (uint32_t i = 0; i < re->crowd.count; i++) {
		struct conn *c = re->crowd.open[i];
		struct pollfd p = { c->fd, (short)conn_wants(c), 0 };

		if (syscall(SYS_poll, &p, 1, 0) == 1)
			return c;
	}
	return NULL;
}

/* Nothing has happened for longer than any peer pauses: is it true that nothing is ready? */
static void doubt(struct reactor *re, struct epoll_event *events, int max)
{
	struct conn *c = find_ready(re);
	int n;

	re->last_event_ns = now_ns();
	if (!c)
		return;
	n = call_epoll(re->epfd, events, max, WAIT_MS, chance_next(&re->at));
	for (int i = 0; i < n; i++)
		handle(re, &events[i]);
	if (n == 0) {
		violate("lost-wakeup", "connection %u (%s) is ready for %x, but no event comes",
			c->plan->id, plan_scene_name(c->plan->style), conn_wants(c));
		c->ready |= (uint8_t)conn_wants(c);
		go_on(re, c);
	}
}

static void turn(struct reactor *re)
{
	struct epoll_event events[8];
	int max = (int)chance_range(chance_next(&re->at), 1, 8);
	int n = call_epoll(re->epfd, events, max, WAIT_MS, chance_next(&re->at));
	struct conn *c;

	for (int i = 0; i < n; i++)
		if (events[i].data.u32 != LISTENER)
			handle(re, &events[i]);
	while ((c = crowd_more(&re->crowd)))
		add(re, c);
	for (uint32_t i = re->crowd.count; i-- > 0;)
		if (conn_is_stuck(re->crowd.open[i]))
			finish(re, i);
	if (n > 0)
		re->last_event_ns = now_ns();
	else if (now_ns() - re->last_event_ns > IDLE_MS * 1000000ull)
		doubt(re, events, max);
}

static void run(const struct scene_plan *s, int is_edge, int short_is_full)
{
	struct reactor re = { .is_edge = is_edge,
			      .short_is_full = short_is_full,
			      .at = s->draw,
			      .last_event_ns = now_ns() };
	struct epoll_event e = { EPOLLIN, { .u32 = LISTENER } };

	re.epfd = s->draw & 1 ? epoll_create1(EPOLL_CLOEXEC) : epoll_create(8);
	MUST(re.epfd >= 0);
	crowd_begin(&re.crowd, s, 1);
	MUST(epoll_ctl(re.epfd, EPOLL_CTL_ADD, re.crowd.listener, &e) == 0);
	while (!crowd_is_over(&re.crowd))
		turn(&re);
	crowd_end(&re.crowd);
	call_close(re.epfd, s->draw >> 3);
}

void scene_level(const struct scene_plan *s)
{
	run(s, 0, 0);
}

void scene_edge(const struct scene_plan *s)
{
	run(s, 1, 0);
}

void scene_tokio(const struct scene_plan *s)
{
	run(s, 1, 1);
}
