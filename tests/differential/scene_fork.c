/* SPDX-License-Identifier: MIT */
/*
 * Children that use what they inherited: one goes on with a connection and hands it back, another
 * takes it over for good (a pre-forked worker), a vfork child closes half the process's
 * descriptors on its way to exec, in its parent's memory.
 */
#include <linux/close_range.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define STEP_BYTES  60000
#define NOOP_STATUS 7

extern char **environ;

static void wait_a_little(struct conn *c)
{
	struct pollfd p = { c->fd, (short)conn_wants(c), 0 };

	if (c->is_nonblocking)
		call_poll(&p, 1, 10, c->pos);
}

/* Steps until `until` bytes are sent or it is done. */
static enum step serve_until(struct conn *c, uint64_t until)
{
	enum step step = STEP_MORE;

	while (step != STEP_DONE && c->pos < until) {
		step = conn_step(c, STEP_BYTES, 0);
		if (step == STEP_OUT || step == STEP_IN)
			wait_a_little(c);
	}
	return step;
}

static void reap(pid_t child, int wanted)
{
	int status = -1;

	while (waitpid(child, &status, 0) < 0)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		violate("child", "status %x, wanted exit %d", (unsigned)status, wanted);
}

/* The parent learns from the board how far the child got. */
static void take_back(struct conn *c)
{
	c->pos = c->side->told;
	c->got = c->side->got;
	for (; c->plan->request_bytes && c->round < c->got / c->plan->request_bytes; c->round++)
		c->owed += c->plan->response[c->round];
}

static pid_t start_child(struct conn *c, uint64_t until)
{
	pid_t child = fork();

	MUST(child >= 0);
	if (child)
		return child;
	serve_until(c, until);
	if (until > c->plan->total)
		conn_end(c, -1);
	else if (c->is_done)
		c->side->is_complete = c->pos >= c->plan->total;
	if (c->plan->draw & 1)
		_exit(3);
	exit(3);
}

/* As Python's subprocess and Java's launcher do it. noinline: the parent's frame must survive. */
static __attribute__((noinline)) void launch(struct conn *c)
{
	char *const argv[] = { "differential", "noop", NULL };
	pid_t child = vfork();

	if (child == 0) {
		close(c->fd);
		dup2(1, c->fd);
		if (c->plan->draw & 64)
			closefrom(3);
		else
			close_range(3, 899, c->plan->draw & 2 ? CLOSE_RANGE_CLOEXEC : 0);
		execve("/proc/self/exe", argv, environ);
		_exit(99);
	}
	MUST(child > 0);
	reap(child, NOOP_STATUS);
}

static void serve(struct conn *c)
{
	uint64_t third = c->plan->total / 3;

	if (serve_until(c, third) == STEP_DONE) {
		conn_end(c, -1);
		return;
	}
	if (c->plan->draw & 4)
		launch(c);
	if (c->plan->draw & 8) { /* for good: the child ends it */
		pid_t child = start_child(c, c->plan->total + 1);

		call_close(c->fd, c->plan->draw >> 7);
		reap(child, 3);
		return;
	}
	reap(start_child(c, 2 * third), 3);
	take_back(c);
	if (c->plan->draw & 16)
		launch(c);
	serve_until(c, c->plan->total + 1);
	conn_end(c, -1);
}

static void *serve_main(void *argument)
{
	serve(argument);
	call_thread_end();
	return NULL;
}

void scene_fork(const struct scene_plan *s)
{
	pthread_t threads[MAX_CONNS];
	struct scene_plan wide;
	struct crowd crowd;

	crowd_begin_full(&crowd, s, &wide);
	for (uint32_t n = 0; n < s->count; n++) {
		if (crowd.open[n]->plan->draw & 32)
			conn_set_nonblocking(crowd.open[n], 0);
		scene_thread(&threads[n], serve_main, crowd.open[n]);
	}
	for (uint32_t n = 0; n < s->count; n++)
		pthread_join(threads[n], NULL);
	crowd_end(&crowd);
}
