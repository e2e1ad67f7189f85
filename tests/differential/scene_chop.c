/* SPDX-License-Identifier: MIT */
/*
 * While one thread is in a write of the victim, whose peer reads nothing, another ends or changes
 * the victim's descriptor and puts another connection, the heir, on its number at once.
 *
 * Without the shim a non-blocking write never sleeps, so the host is stopped between two calls
 * and the stroke hits nothing. If the writer is seen asleep within a call, somebody makes it
 * wait there; its descriptor was looked up long ago, so the call may only ever touch the victim,
 * and it must end soon: nobody else will wake it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "scene.h"

#define VICTIM_FD     600 /* high: the number must not be given to another scene meanwhile */
#define SEE_SLEEP_MS  40
#define END_WITHIN_MS 250

enum stroke {
	STROKE_CLOSE,
	STROKE_DUP2,
	STROKE_RAW,
	STROKE_RESET,
	STROKE_DUP3,
	STROKE_RANGE,
	STROKE_SHUT_WR,
	STROKE_CANCEL,
	STROKE_BLOCKING,
	STROKE_SHUT,
	STROKE_SIGNAL,
	STROKES
};

static const char *const stroke_name[] = { "close",	     "dup2",   "raw close",
					   "reset",	     "dup3",   "close_range",
					   "shutdown(WR)",   "cancel", "O_NONBLOCK off",
					   "shutdown(RDWR)", "signal" };

struct chop {
	struct conn *victim, *heir;
	enum stroke stroke;
	_Atomic uint32_t must_stop, has_stopped;
	uint64_t stopped_ns; /* before has_stopped */
};

static void stopped(void *argument)
{
	struct chop *chop = argument;

	if (chop->victim->side->calls & 1)
		violate("cancel-in-call",
			"connection %u: cancelled inside a write, its count is lost",
			chop->victim->plan->id);
	call_thread_end();
	chop->stopped_ns = now_ns();
	chop->has_stopped = 1;
}

static void *write_victim(void *argument)
{
	struct chop *chop = argument;
	struct conn *c = chop->victim;

	pthread_cleanup_push(stopped, chop);
	c->side->tid = (int32_t)syscall(SYS_gettid);
	if (chop->stroke == STROKE_SIGNAL)
		bell_allow(SIG_UNBLOCK);
	while (!chop->must_stop) {
		if (c->pos < c->plan->total)
			call_out(c, c->plan->total - c->pos);
		else
			sleep_us(200);
	}
	/* A cancellation that came during a call takes effect here at the latest. */
	for (int n = 0; n < 200 && chop->stroke == STROKE_CANCEL && chop->must_stop == 1; n++)
		usleep(500);
	pthread_cleanup_pop(1);
	return NULL;
}

static int is_asleep(int tid)
{
	char path[64], text[256];
	const char *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = syscall(SYS_read, fd, text, sizeof(text) - 1);
	syscall(SYS_close, fd);
	text[n > 0 ? n : 0] = 0;
	state = strrchr(text, ')');
	return state && state[1] == ' ' && state[2] == 'S';
}

/* True when the writer is asleep in a call and will begin no other. */
static int catch_asleep(struct chop *chop)
{
	struct host_side *s = chop->victim->side;
	uint64_t end = now_ns() + SEE_SLEEP_MS * 1000000ull, call;

	while (now_ns() < end) {
		call = s->calls;
		if (call & 1 && is_asleep(s->tid) && s->calls == call) {
			chop->must_stop = 1;
			return is_asleep(s->tid) && s->calls == call;
		}
		sleep_us(100);
	}
	chop->must_stop = 1;
	return 0;
}

static int await_stop(struct chop *chop, int ms)
{
	uint64_t end = now_ns() + (uint64_t)ms * 1000000;

	while (!chop->has_stopped && now_ns() < end)
		sleep_us(100);
	return chop->has_stopped;
}

/* The heir takes the number the victim had. */
static void inherit(struct chop *chop, int number)
{
	struct conn *heir = chop->heir;
	int old = heir->fd;

	if (chop->stroke == STROKE_DUP2)
		heir->fd = dup2(old, number);
	else if (chop->stroke == STROKE_DUP3)
		heir->fd = dup3(old, number, O_CLOEXEC);
	else
		heir->fd = fcntl(old, F_DUPFD_CLOEXEC, number);
	if (heir->fd != number)
		violate("number", "%s: the heir got %d, not %d", stroke_name[chop->stroke],
			heir->fd, number);
	MUST(heir->fd >= 0);
	call_close(old, heir->plan->draw);
}

static void reset_by_peer(struct conn *c)
{
	struct pollfd p = { .fd = c->fd };
	uint64_t end = now_ns() + 1000000000;

	c->side->command = COMMAND_RESET;
	while (syscall(SYS_poll, &p, 1, 5) == 0 && now_ns() < end)
		;
}

static int ends_descriptor(enum stroke stroke)
{
	return stroke == STROKE_CLOSE || stroke == STROKE_RAW || stroke == STROKE_RANGE ||
	       stroke == STROKE_DUP2 || stroke == STROKE_DUP3;
}

static void strike(struct chop *chop, pthread_t writer)
{
	struct conn *c = chop->victim;
	int number = c->fd;

	c->is_struck = 1;
	switch (chop->stroke) {
	case STROKE_CLOSE:
		call_close(number, 3);
		break;
	case STROKE_RAW:
		call_close(number, 0);
		break;
	case STROKE_RANGE:
		call_close(number, 1);
		break;
	case STROKE_SHUT_WR:
	case STROKE_SHUT:
		MUST(shutdown(number, chop->stroke == STROKE_SHUT ? SHUT_RDWR : SHUT_WR) == 0);
		break;
	case STROKE_RESET:
		reset_by_peer(c);
		break;
	case STROKE_CANCEL:
		pthread_cancel(writer);
		break;
	case STROKE_BLOCKING:
		MUST(fcntl(number, F_SETFL, fcntl(number, F_GETFL) & ~O_NONBLOCK) == 0);
		break;
	case STROKE_SIGNAL:
		pthread_kill(writer, SIGUSR1);
		break;
	default:
		break; /* the dups: inherit() is the stroke */
	}
	if (ends_descriptor(chop->stroke))
		inherit(chop, number);
}

static void serve_to_end(struct conn *c)
{
	while (conn_step(c, 100000, 0) != STEP_DONE) {
		struct pollfd p = { c->fd, (short)conn_wants(c), 0 };

		call_poll(&p, 1, 10, c->pos);
	}
	conn_end(c, -1);
}

/* What the host sees on the victim afterwards must be what it would see without anybody between. */
static void look_after(struct chop *chop)
{
	struct conn *c = chop->victim;

	c->is_shut |= chop->stroke == STROKE_SHUT_WR || chop->stroke == STROKE_SHUT;
	if (chop->stroke == STROKE_RESET || c->is_shut) {
		for (int n = 0; n < 3; n++)
			if (call_out(c, 1000 + (size_t)n) >= 0)
				violate("after-end", "connection %u: a write succeeds after %s",
					c->plan->id, stroke_name[chop->stroke]);
		if (chop->stroke == STROKE_RESET && !c->has_reset && !c->may_be_eaten)
			violate("reset-first", "connection %u: ECONNRESET was never reported",
				c->plan->id);
		c->side->had_error = 1;
	}
	if (ends_descriptor(chop->stroke)) {
		c->side->gave_up = c->pos < c->plan->total;
		c->side->state = HOST_ENDED;
	} else {
		conn_end(c, -1);
	}
}

/* How long the write went on although its descriptor had ended: so long no FIN is sent. */
static void note_held(const struct chop *chop, uint64_t begin)
{
	uint64_t us = chop->stopped_ns > begin ? (chop->stopped_ns - begin) / 1000 : 0;

	if (ends_descriptor(chop->stroke) && us > board->held_us)
		board->held_us = (uint32_t)us;
}

static void run(struct chop *chop)
{
	struct conn *c = chop->victim;
	uint64_t begin;
	pthread_t writer;
	int is_caught;

	scene_thread(&writer, write_victim, chop);
	is_caught = catch_asleep(chop);
	if (!is_caught && chop->stroke != STROKE_CANCEL && !await_stop(chop, 5000))
		violate("held", "connection %u: a write does not return", c->plan->id);
	begin = now_ns();
	if (is_caught || chop->stroke != STROKE_CANCEL)
		strike(chop, writer);
	else
		chop->must_stop = 2; /* glibc's own write may lose the count when it is cancelled */
	if (ends_descriptor(chop->stroke))
		serve_to_end(chop->heir);
	if (!await_stop(chop, END_WITHIN_MS)) {
		violate("outlives", "connection %u: a write goes on %llu ms after %s", c->plan->id,
			(unsigned long long)(now_ns() - begin) / 1000000,
			stroke_name[chop->stroke]);
		c->side->command = COMMAND_THAW;
	}
	pthread_join(writer, NULL);
	if (is_caught)
		note_held(chop, begin);
	board->struck[chop->stroke]++;
	board->caught[chop->stroke] += (uint32_t)is_caught;
	look_after(chop);
	if (!ends_descriptor(chop->stroke))
		serve_to_end(chop->heir);
}

/* The victim moves to a high number. */
static void lift(struct conn *c)
{
	int high = fcntl(c->fd, F_DUPFD_CLOEXEC, VICTIM_FD + (int)c->plan->id);

	MUST(high >= 0);
	call_close(c->fd, c->plan->draw >> 20);
	c->fd = high;
}

void scene_chop(const struct scene_plan *s)
{
	/* Seeds 9, 22 and 35 (mod 13: this scene comes first) together see all strokes. */
	uint32_t first = (uint32_t)(plan.seed / SCENE_KINDS * 4 % STROKES);
	struct scene_plan wide;
	struct crowd crowd;

	crowd_begin_full(&crowd, s, &wide);
	for (uint32_t n = 0; n + 1 < s->count; n += 2) {
		struct chop chop = { .victim = &conns[s->first + n],
				     .heir = &conns[s->first + n + 1],
				     .stroke = (enum stroke)((first + n / 2) % STROKES) };

		lift(chop.victim);
		run(&chop);
	}
	crowd_end(&crowd);
}
