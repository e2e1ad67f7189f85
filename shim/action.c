/* SPDX-License-Identifier: MIT */
#include "action.h"

#include "../policy/policy.h"
#include "classes.h"
#include "facts.h"
#include "stats.h"
#include "sys.h"
#include "thread.h"

#include <sys/socket.h>

_Static_assert((int)POLICY_UNCLEAR == (int)REASON_UNCLEAR &&
	       (int)POLICY_DO_GROW == (int)STRATEGY_GROW,
	       "policy and layout are numbered by the same tables");

static struct policy_limits limits;

/* Features a filter or an old kernel refused: off for the life of the process. */
static uint8_t is_refused;	 /* TCP_INFO, SO_SNDBUF */
static uint8_t is_force_refused; /* SO_SNDBUFFORCE: no CAP_NET_ADMIN */

void action_configure(const struct config *config)
{
	limits = (struct policy_limits){
		.sndbuf_max = config->value[CONFIG_sndbuf_max],
		.may_override = (uint8_t)config->value[CONFIG_override],
		.is_forced = config->value[CONFIG_write] == WRITE_GROW,
		/* spin and block, when forced, stand alone: so each can be measured by itself */
		.is_observing = config->value[CONFIG_mode] != MODE_ADAPT ||
				(config->value[CONFIG_write] != WRITE_AUTO &&
				 config->value[CONFIG_write] != WRITE_GROW),
	};
}

/* Growth did not work. Off only when it cannot work here: a descriptor closed meanwhile is none. */
static void refuse(struct fdrec *rec, int error)
{
	if (!sys_is_refusal(error))
		return;
	stats_refused(&is_refused);
	store_relaxed(&rec->socket->reason, (uint32_t)REASON_REFUSED);
}

/* As this process has it: stats_begin.c bounds the default by the machine's memory. */
static uint64_t budget(void)
{
	return stats.header->option_value[CONFIG_sndbuf_budget];
}

static struct policy_limits current_limits(void)
{
	struct stats_header *h = stats.header;
	struct policy_limits now = limits;
	uint64_t used = load_relaxed(&h->global[GLOBAL_BUDGET_USED]);

	now.budget_left = used < budget() ? budget() - used : 0;
	now.autotune_max = h->tcp_wmem_max;
	now.can_unlock = load_relaxed(&h->can_unlock) != 2;
	/* With CAP_NET_ADMIN the kernel's own limit does not bind; it is tried once. */
	now.kernel_max = load_relaxed(&is_force_refused) ? 2 * h->wmem_max : UINT64_MAX;
	return now;
}

/* SO_SNDBUF stores double its argument (socket(7)); beyond wmem_max only FORCE reaches. */
static int set_sndbuf(int fd, uint64_t target)
{
	int half = (int)(target / 2);
	int r;

	if (target / 2 > stats.header->wmem_max && !load_relaxed(&is_force_refused)) {
		r = sys_setsockopt_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, half);
		if (r == 0)
			return 0;
		if (sys_is_refusal(r))
			store_relaxed(&is_force_refused, 1);
		return r; /* not counted: the plain call follows at the next look, within wmem_max */
	}
	return sys_setsockopt_int(fd, SOL_SOCKET, SO_SNDBUF, half);
}

/*
 * The new size, or -errno. Auto-tuning is given back where it was on: it may raise the buffer
 * further, as it would have without us. Not beyond tcp_wmem[2], where it has nothing to raise: it
 * would take the buffer back there (tcp_sndbuf_expand(), Linux 6.18). And not where the host had
 * fixed the size: the kernel would go to tcp_wmem[2] at once, whatever sndbuf_max and the budget say
 * (measured: budget 1 MB, 16.6 MB added).
 */
static int grow(int fd, uint64_t target, int lock_bits)
{
	int r = set_sndbuf(fd, target);
	int got = r < 0 ? r : sys_sockopt_int(fd, SOL_SOCKET, SO_SNDBUF);

	if (got > 0 && lock_bits >= 0 && !(lock_bits & FACTS_SND_LOCK) &&
	    (uint64_t)got <= stats.header->tcp_wmem_max)
		sys_setsockopt_int(fd, SOL_SOCKET, SO_BUF_LOCK, lock_bits);
	return got;
}

/* What the kernel has taken back since the last growth is not ours any more. */
static void credit_lost(struct fdrec *rec, uint64_t now)
{
	/* Sockets without a row of their own share one: nothing is known of them. */
	uint64_t lost = 0;

	if (rec->has_row && rec->socket->sndbuf_now > now)
		lost = rec->socket->sndbuf_now - now;
	if (lost > rec->budget_bytes)
		lost = rec->budget_bytes;
	rec->budget_bytes -= lost;
	stats_global_add(GLOBAL_BUDGET_USED, -lost);
}

static void book_growth(int fd, struct fdrec *rec, uint64_t from, uint64_t to,
			enum policy_reason reason)
{
	struct socket_row *row = rec->socket;

	row->sndbuf_now = to;
	if (!row->sndbuf_start)
		row->sndbuf_start = from;
	if (to <= from)
		return;
	rec->budget_bytes += to - from;
	rec->stalls = 0;
	if (rec->class_slot)
		classes_note(rec->class_slot, STRATEGY_GROW);
	if (!rec->has_grown)
		thread_add(TOTAL_GROWN_SOCKETS, 1);
	rec->has_grown = 1;
	thread_add(TOTAL_GROWTHS, 1);
	count_add(&row->growths, 1);
	stats_decision(row, fd, STRATEGY_GROW, (enum reason)reason, from, to);
}

static int is_limit(enum policy_reason reason)
{
	return reason == POLICY_NO_BUDGET || reason == POLICY_AT_MAXIMUM ||
	       reason == POLICY_CANNOT_UNLOCK || reason == POLICY_REFUSED;
}

static void note_reason(int fd, struct fdrec *rec, const struct policy_verdict *v, uint64_t sndbuf)
{
	struct socket_row *row = rec->socket;
	int is_news;

	if (v->reason == POLICY_NO_BUDGET)
		stats_global_add(GLOBAL_BUDGET_REFUSALS, 1);
	/* That the buffer stays as it is, is no news of a socket that is treated by other means. */
	if (v->strategy == POLICY_DO_NONE && row->strategy >= (uint32_t)STRATEGY_SPIN)
		return;
	/* "Not clear yet" is no news where a reason is known. */
	if (row->reason == (uint32_t)v->reason ||
	    (row->reason != REASON_NONE && v->reason == POLICY_UNCLEAR))
		return;
	/* A socket once grown stays "grow"; a later refusal to grow more is only its reason. */
	if (v->strategy != POLICY_DO_NONE)
		store_relaxed(&row->strategy, (uint32_t)v->strategy);
	/* To leave a socket alone is news once, or when a limit of ours is why: the causes of slow
	 * readers change from stall to stall and would push everything else out of the ring. */
	is_news = row->reason == REASON_NONE || is_limit(v->reason);
	store_relaxed(&row->reason, (uint32_t)v->reason);
	if (v->strategy == POLICY_DO_NONE && is_news)
		stats_decision(row, fd, STRATEGY_NONE, (enum reason)v->reason, sndbuf, sndbuf);
}

/*
 * Takes the bytes from the budget before the buffer is raised: what is left may have changed since
 * the verdict (measured: 40 threads at once, 1.15 MB of a budget of 1 MB). 0: not enough left.
 */
static int reserve(uint64_t bytes)
{
	uint64_t *used = &stats.header->global[GLOBAL_BUDGET_USED];
	uint64_t seen = load_relaxed(used);

	do {
		if (seen + bytes > budget()) {
			stats_global_add(GLOBAL_BUDGET_REFUSALS, 1);
			return 0;
		}
	} while (!cas_acq_rel(used, &seen, seen + bytes));
	return 1;
}

/* Does what the verdict says: 1 the buffer grew, 0 not, -errno when the kernel said no. */
static int carry_out(int fd, struct fdrec *rec, const struct policy_facts *facts,
		     const struct policy_verdict *verdict, int lock_bits)
{
	uint64_t from = facts->sndbuf, wanted = verdict->target_bytes - from;
	int got;

	if (verdict->strategy != POLICY_DO_GROW || !reserve(wanted))
		return 0;
	got = grow(fd, verdict->target_bytes, lock_bits);
	/* What it came to, instead of what was reserved. */
	stats_global_add(GLOBAL_BUDGET_USED,
			 (got > 0 && (uint64_t)got > from ? (uint64_t)got - from : 0) - wanted);
	if (got < 0)
		return got;
	book_growth(fd, rec, facts->sndbuf, (uint64_t)got, verdict->reason);
	return (uint64_t)got > facts->sndbuf;
}

/* The class learns it from a stalled queue, and lends it to sockets that cannot tell yet. */
static void note_overhead(struct fdrec *rec, struct policy_facts *facts)
{
	struct class_memory *memory = rec->class_slot ? &rec->class_slot->memory : NULL;

	if (!memory)
		return;
	facts->overhead = load_relaxed(&memory->overhead);
	if (facts->payload)
		class_overhead(memory, policy_overhead(facts));
}

void action_came_back(struct fdrec *rec)
{
	if (rec->is_opening && rec->opening_turns == 1 && rec->class_slot)
		class_opening(&rec->class_slot->memory, 2);
	rec->is_opening = 0;
}

/*
 * Is this response left as it is, so that the reader's window opens? Not where growth was asked for
 * by name: it is to be measured by itself.
 */
static int is_left_to_open(int fd, struct fdrec *rec, struct policy_facts *facts)
{
	struct class_memory *memory = rec->class_slot ? &rec->class_slot->memory : NULL;

	if (!facts->is_tcp || limits.is_forced || rec->has_grown || !memory)
		return 0;
	if (rec->opening_turns >= POLICY_OPENING_TURNS ||
	    (!rec->opening_turns && !class_keeps_connections(memory)))
		return 0;
	facts_window(fd, facts);
	if (!policy_window_may_open(facts, rec->opening_turns))
		return 0;
	rec->is_opening = 1;
	if (!rec->opening_turns++)
		class_opening(memory, 1);
	if (rec->socket->reason == (uint32_t)REASON_NONE)
		store_relaxed(&rec->socket->reason, (uint32_t)REASON_OPENING_WINDOW);
	return 1;
}

int action_stalled(int fd, struct fdrec *rec, const struct request *q, size_t sent, uint32_t tries,
		   int is_wanted)
{
	struct policy_facts facts = { .tries = tries };
	struct policy_verdict verdict;
	struct policy_limits now;
	int lock_bits = -1, done;

	if (rec->is_opening && tries < POLICY_OPENING_TRIES)
		return 0;
	rec->stalls += tries <= 1;
	if (load_relaxed(&is_refused)) {
		store_relaxed(&rec->socket->reason, (uint32_t)REASON_REFUSED);
		return 0;
	}
	if (!is_wanted && !policy_wants_look(rec->stalls, tries))
		return 0;
	done = facts_of_stall(fd, rec, &facts, !limits.is_observing, &lock_bits);
	if (done < 0) {
		refuse(rec, done);
		return 0;
	}
	facts.remaining = request_left(q, sent);
	note_overhead(rec, &facts);
	credit_lost(rec, facts.sndbuf);
	/* Twice when SO_SNDBUFFORCE turns out to be refused: then within wmem_max. */
	for (int attempt = 0; attempt < 2; attempt++) {
		now = current_limits();
		verdict = policy_stall(&facts, &now);
		note_reason(fd, rec, &verdict, facts.sndbuf);
		done = carry_out(fd, rec, &facts, &verdict, lock_bits);
		if (rec->class_slot && verdict.strategy == POLICY_DO_GROW)
			store_relaxed(&rec->class_slot->memory.wants_growth, 1);
		if (done >= 0)
			return done;
	}
	refuse(rec, done);
	return 0;
}

void action_ahead(const struct request *q, struct fdrec *rec, uint64_t need, int is_by_class)
{
	int fd = q->fd;
	struct policy_facts facts = { .remaining = need, .tries = 1 };
	struct policy_verdict verdict;
	struct policy_limits now;
	int lock_bits = -1, done = 0;

	/* Unless something below is worth another look: not before the next stall is over. */
	store_relaxed(&rec->room_bytes, UINT64_MAX);
	facts_kind(rec, &facts);
	note_overhead(rec, &facts);
	if (limits.is_observing || load_relaxed(&is_refused) || !(facts.is_tcp || facts.is_unix) ||
	    facts.has_lowat || facts_room(fd, &facts) < 0)
		return;
	if (policy_fits(&facts)) {
		store_relaxed(&rec->room_bytes, policy_room(&facts));
		return;
	}
	/* A write that waits in the kernel until all fits has no stall to spare. */
	if (!(q->flags & MSG_DONTWAIT) && sys_is_nonblocking(fd) != 1)
		return;
	if (is_left_to_open(fd, rec, &facts)) {
		store_relaxed(&rec->room_bytes, policy_room(&facts));
		return;
	}
	facts_fixed(fd, rec, &facts, 1, &lock_bits);
	credit_lost(rec, facts.sndbuf);
	for (int attempt = 0; attempt < 2; attempt++) {
		now = current_limits();
		verdict = policy_ahead(&facts, &now, is_by_class);
		note_reason(fd, rec, &verdict, facts.sndbuf);
		done = carry_out(fd, rec, &facts, &verdict, lock_bits);
		if (done >= 0)
			break;
	}
	if (done < 0) {
		refuse(rec, done);
	} else if (done) {
		thread_add(TOTAL_AHEAD_GROWTHS, 1);
		facts.sndbuf = rec->socket->sndbuf_now;
		store_relaxed(&rec->room_bytes, policy_room(&facts));
	}
}

void action_note(int fd, struct fdrec *rec, enum strategy strategy, enum reason reason)
{
	struct socket_row *row = rec->socket;

	if (rec->class_slot)
		classes_note(rec->class_slot, strategy);
	if (row->strategy == (uint32_t)strategy && row->reason == (uint32_t)reason)
		return;
	store_relaxed(&row->strategy, (uint32_t)strategy);
	store_relaxed(&row->reason, (uint32_t)reason);
	stats_decision(row, fd, strategy, reason, row->sndbuf_now, row->sndbuf_now);
}
