/* SPDX-License-Identifier: MIT */
#include "treat.h"

#include "action.h"
#include "classes.h"
#include "fdlock.h"
#include "stats.h"
#include "sys.h"
#include "thread.h"

/* Longest spin when it is forced and no trip has been measured: a trip is far shorter. */
#define SPIN_MAX_NS 200000

static unsigned strategy; /* WRITE_* of config.h */
static int is_adapting;
static uint64_t block_max_ns;

_Static_assert((int)RETRY_ONCE + 1 == (int)TREAT_ONCE && (int)RETRY_BLOCK + 1 == (int)TREAT_BLOCK,
	       "treatments are retries, or none");

void treat_configure(const struct config *config)
{
	strategy = (unsigned)config->value[CONFIG_write];
	is_adapting = config->value[CONFIG_mode] == MODE_ADAPT && strategy != WRITE_OFF;
	block_max_ns = config->value[CONFIG_block_max_ms] * 1000000;
	retry_configure(config);
}

int treat_may_act(void)
{
	return is_adapting;
}

/*
 * What is left of the time this thread may wait in this turn of its loop. A thread that never
 * waits elsewhere (a pool's worker) has no turns: each call has the whole bound.
 */
static uint64_t block_time_left(void)
{
	struct thread_context *context = thread_self.context;
	uint64_t turn = thread_total(TOTAL_WAITS);

	if (!context || !turn)
		return block_max_ns;
	if (context->blocked_turn != turn) {
		context->blocked_turn = turn;
		context->blocked_ns = 0;
	}
	return context->blocked_ns < block_max_ns ? block_max_ns - context->blocked_ns : 0;
}

static int thread_spins(void)
{
	const struct thread_context *context = thread_self.context;

	return context && context->spin_score >= (context->has_yielded ? CLASS_BELIEVE_AGAIN
								       : CLASS_BELIEVE);
}

int treat_would_block(const struct fdrec *rec)
{
	return is_adapting && strategy == WRITE_AUTO && rec->class_slot &&
	       class_would_block(&rec->class_slot->memory, thread_spins());
}

static struct treat block(int fd, struct fdrec *rec, enum reason reason)
{
	uint64_t left = block_time_left();

	if (!left) {
		thread_add(TOTAL_BLOCK_LIMITS, 1);
		return (struct treat){ .how = TREAT_NOT };
	}
	action_note(fd, rec, STRATEGY_BLOCK, reason);
	return (struct treat){ .how = TREAT_BLOCK, .max_ns = left };
}

static struct treat spin(int fd, struct fdrec *rec, enum reason reason, uint64_t max_ns)
{
	action_note(fd, rec, STRATEGY_SPIN, reason);
	return (struct treat){ .how = TREAT_SPIN, .max_ns = max_ns };
}

static struct treat choose(const struct request *q, struct fdrec *rec, int has_grown)
{
	struct class_memory *memory = rec->class_slot ? &rec->class_slot->memory : NULL;

	if (!is_adapting || !retry_is_allowed(rec, q))
		return (struct treat){ .how = TREAT_NOT };
	if (has_grown)
		return (struct treat){ .how = TREAT_ONCE };
	if (strategy == WRITE_BLOCK)
		return block(q->fd, rec, REASON_BLOCK_FORCED);
	if (strategy == WRITE_SPIN)
		return spin(q->fd, rec, REASON_SPIN_FORCED, SPIN_MAX_NS);
	if (strategy == WRITE_AUTO && memory && !load_relaxed(&rec->has_lowat))
		switch (class_treatment(memory, thread_spins())) {
		case CLASS_BLOCK:
			return block(q->fd, rec, REASON_BLOCK_SPINNER);
		case CLASS_SPIN:
			return spin(q->fd, rec, REASON_SPIN_CHEAPER,
				    load_relaxed(&memory->trip_ns));
		case CLASS_LEAVE:
			break;
		}
	return (struct treat){ .how = TREAT_NOT };
}

struct treat treat_choose(const struct request *q, struct fdrec *rec, int has_grown)
{
	struct treat treat = choose(q, rec, has_grown);

	/* Here, where the lock is held and the cookie has just been compared: later the record
	 * may be another socket's already. */
	treat.key.cookie = rec->cookie;
	return treat;
}

static void book(struct fdrec *rec, const struct treat *treat, unsigned sends, uint64_t bytes,
		 uint64_t waited_ns, int is_finished)
{
	/* The record may be another socket's by now: then what follows is in the totals only. */
	struct socket_row *row = load_relaxed(&rec->cookie) == treat->key.cookie
					 ? fdrec_row(rec) : &stats_socket_sink;

	thread_add(TOTAL_RETRIES, sends);
	thread_add(TOTAL_WRITE_BYTES, bytes);
	count_add(&row->write_bytes, bytes);
	if (treat->how == TREAT_SPIN)
		thread_add(TOTAL_SPUN_CALLS, 1);
	if (treat->how == TREAT_BLOCK) {
		thread_add(TOTAL_BLOCKED_CALLS, 1);
		thread_add(TOTAL_BLOCKED_NS, waited_ns);
		count_add(&row->blocked_ns, waited_ns);
		if (thread_self.context)
			thread_self.context->blocked_ns += waited_ns;
	}
	if (is_finished) {
		thread_add(TOTAL_FINISHED_CALLS, 1);
		count_add(&row->finished_calls, 1);
	}
}

void treat_go_on(const struct request *q, struct fdrec *rec, const struct treat *treat,
		 ssize_t *returned, int *error)
{
	size_t before = *returned > 0 ? (size_t)*returned : 0, after;
	uint64_t began = sys_now();
	unsigned sends = retry_go_on(rec, q, (enum retry_how)((int)treat->how - 1), &treat->key,
				     treat->max_ns, returned, error);
	uint64_t now = sys_now();
	int is_finished;

	after = *returned > 0 ? (size_t)*returned : 0;
	is_finished = after == q->asked;
	book(rec, treat, sends, after - before, now - began, is_finished);
	if (!fdrec_try_lock(rec)) {
		if (load_relaxed(&rec->cookie) == treat->key.cookie)
			count_add(&rec->spin.response_bytes, after - before);
		return;
	}
	/* The record may be another socket's by now. */
	if (rec->cookie == treat->key.cookie) {
		spin_went_on(&rec->spin, after - before, is_finished, now);
		/* Our own wait was no sleep of the host's: a spinner would pass for a yielder. */
		rec->last_try_ns = now;
		if (!is_finished && treat->how == TREAT_BLOCK)
			rec->sleeps = sys_thread_sleeps();
		if (fdrec_kind(rec) == FD_STALLED && !spin_is_stalled(&rec->spin) &&
		    !load_relaxed(&rec->owes_error))
			fdrec_set_kind(rec, FD_QUIET);
	}
	fdrec_unlock(rec);
}
