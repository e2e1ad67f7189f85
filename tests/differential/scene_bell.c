/* SPDX-License-Identifier: MIT */
/*
 * Signals whose handlers write. Two kinds of writes: into a stream of the thread's own (its bell),
 * and a block into the very stream whose write the signal interrupted. A block must lie before or
 * behind all the bytes of that call, never between them: a library that goes on with a call after
 * a handler ran has turned the host's order over.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "pattern.h"
#include "scene.h"

#define STEP_BYTES 100000

/*
 * Rings a thread answers by writing. A library that waits within a handler for longer than the
 * timer's period starves the thread as long as it is rung; that must have an end.
 */
#define RINGS_MAX 60

static __thread struct conn *volatile bell;

/* Never waits. By write(2) where the descriptor allows. */
static ssize_t put(const struct conn *c, const void *data, size_t n)
{
	if (c->is_nonblocking && c->plan->draw & 1024)
		return write(c->fd, data, n);
	return send(c->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ring_bell(struct conn *c)
{
	uint64_t n = 1 + chance(c->plan->draw, c->pos) % 300, left = c->plan->total - c->pos;
	ssize_t r;

	if (!left || c->is_done)
		return;
	r = put(c, pattern(c->plan->id, c->pos), n < left ? n : left);
	if (r > 0) {
		c->pos += (uint64_t)r;
		c->side->told = c->pos;
	} else if (r < 0 && errno != EAGAIN) {
		c->is_done = 1;
		c->side->had_error = 1;
	}
}

static void write_block(struct conn *c)
{
	struct host_side *s = c->side;
	uint8_t block[BLOCK_BYTES];
	ssize_t r;

	if (!c->plan->takes_blocks || s->blocks == MAX_BLOCKS)
		return;
	block_fill(s->blocks, block);
	r = put(c, block, BLOCK_BYTES);
	if (r > 0) {
		s->block[s->blocks] = (struct block_note){ c->pos, c->pos, (uint32_t)r };
		s->blocks++;
	} else if (r < 0 && errno == ECONNRESET) {
		c->has_reset = 1;
	}
}

static void on_ring(int signal)
{
	uint32_t sigpipes = self.sigpipes;
	int saved = errno;

	(void)signal;
	if (self.signals++ < RINGS_MAX) {
		if (bell)
			ring_bell(bell);
		if (self.current)
			write_block(self.current);
	}
	self.sigpipes = sigpipes; /* the handler's own, not the interrupted call's */
	errno = saved;
}

static void on_pipe(int signal)
{
	(void)signal;
	self.sigpipes++;
}

void bell_install(void)
{
	struct sigaction action;
	static const int rings[] = { SIGALRM, SIGUSR1 };

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_pipe;
	MUST(sigaction(SIGPIPE, &action, NULL) == 0);
	action.sa_handler = on_ring;
	sigaddset(&action.sa_mask, SIGALRM); /* one handler at a time: both move the same streams */
	sigaddset(&action.sa_mask, SIGUSR1);
	for (int n = 0; n < 2; n++) {
		action.sa_flags = n ? SA_RESTART : 0;
		MUST(sigaction(rings[n], &action, NULL) == 0);
	}
	bell_allow(SIG_BLOCK);
}

void bell_allow(int how)
{
	sigset_t rings;

	sigemptyset(&rings);
	sigaddset(&rings, SIGALRM);
	sigaddset(&rings, SIGUSR1);
	MUST(pthread_sigmask(how, &rings, NULL) == 0);
}

struct ringer {
	struct conn *work, *bell;
	_Atomic uint32_t is_over;
	pthread_t thread;
};

static void wait_a_little(struct conn *c)
{
	struct pollfd p = { c->fd, (short)conn_wants(c), 0 };

	call_poll(&p, 1, 10, c->pos);
}

/* What the handlers have not sent of the bell's stream, by ordinary calls. */
static void finish_bell(struct conn *c)
{
	while (conn_step(c, STEP_BYTES, 0) != STEP_DONE && !conn_is_stuck(c))
		wait_a_little(c);
	conn_end(c, -1);
}

static void *ringer_main(void *argument)
{
	struct ringer *r = argument;
	struct conn *c = r->work;
	int spins = c->plan->draw & 256 ? 1 : 0;

	bell = r->bell;
	bell_allow(SIG_UNBLOCK);
	for (;;) {
		enum step step = conn_step(c, STEP_BYTES, 0);

		if (step == STEP_DONE || conn_is_stuck(c))
			break;
		if (step == STEP_IN || (step == STEP_OUT && !spins))
			wait_a_little(c);
	}
	bell_allow(SIG_BLOCK);
	bell = NULL;
	conn_end(c, -1);
	if (r->bell)
		finish_bell(r->bell);
	call_thread_end();
	r->is_over = 1;
	return NULL;
}

static void start_timer(int us)
{
	struct itimerval t = { { 0, us }, { 0, us } };

	MUST(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

/* All of them at once, each second one blocking. */
static void start_all(const struct scene_plan *s, struct ringer *ringers)
{
	for (uint32_t n = 0; n < s->count; n += 2) {
		struct ringer *r = &ringers[n / 2];

		r->work = &conns[s->first + n];
		r->bell = n + 1 < s->count ? &conns[s->first + n + 1] : NULL;
		if (n & 2 && r->work->plan->peer_end != END_VANISHES)
			conn_set_nonblocking(r->work, 0);
		scene_thread(&r->thread, ringer_main, r);
	}
}

void scene_bell(const struct scene_plan *s)
{
	struct ringer ringers[MAX_CONNS / 2] = { 0 };
	uint32_t count = (s->count + 1) / 2, over;
	struct scene_plan wide;
	struct crowd crowd;

	crowd_begin_full(&crowd, s, &wide);
	start_all(s, ringers);
	start_timer((int)chance_range(s->draw, 1500, 6000));
	do {
		sleep_us(chance_range(s->draw, 700, 3000));
		over = 0;
		for (uint32_t n = 0; n < count; n++) {
			over += ringers[n].is_over;
			pthread_kill(ringers[n].thread, SIGUSR1);
		}
	} while (over < count);
	start_timer(0);
	for (uint32_t n = 0; n < count; n++)
		pthread_join(ringers[n].thread, NULL);
	crowd_end(&crowd);
}
