/* SPDX-License-Identifier: MIT */
#include "advice.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "derive.h"
#include "names.h"
#include "symbol.h"
#include "text.h"
#include "../shim/config.h"

/* Wake-up faults are worth a sentence from this share of the waits or events on ... */
#define WAKEUP_PERCENT 5
/* (thin waits are a busy machine's normal now and then: where most are) ... */
#define THIN_PERCENT 50
/* ... and when there were enough of them to be a habit, not a start-up effect. */
#define WAKEUP_MIN 100

/* All the rules look at. Sockets without a row are in the totals only. */
struct facts {
	const struct stats_header *header;
	const struct stats_view *view;
	uint64_t total[TOTAL_COUNT];
	const uint64_t *global;
	uint64_t stalls;
	uint64_t spins_max; /* longest run of any row */
	uint64_t grown_from_min, grown_to_max;
	unsigned untreated[REASON_COUNT]; /* rows that stalled and were not raised, by reason */
};

/* A rule adds its sentences (each ended by a newline) or nothing. */
typedef void rule(const struct facts *facts, FILE *out);

static void note_socket(struct facts *facts, const struct socket_row *row)
{
	if (row->spins_max > facts->spins_max)
		facts->spins_max = row->spins_max;
	if (row->growths) {
		if (!facts->grown_from_min || row->sndbuf_start < facts->grown_from_min)
			facts->grown_from_min = row->sndbuf_start;
		if (row->sndbuf_now > facts->grown_to_max)
			facts->grown_to_max = row->sndbuf_now;
	} else if (derive_stalls(row) && row->reason < REASON_COUNT) {
		facts->untreated[row->reason]++;
	}
}

static void collect(const struct stats_view *view, struct facts *facts)
{
	struct socket_row row;

	*facts = (struct facts){ .header = &view->header, .view = view, .global = view->header.global };
	derive_totals(view, facts->total);
	facts->stalls = facts->total[TOTAL_EAGAIN_WRITES] + facts->total[TOTAL_SHORT_WRITES];
	for (uint32_t i = 0; i < read_rows(view, SECTION_SOCKETS); i++)
		if (read_socket(view, i, &row))
			note_socket(facts, &row);
}

/*
 * Is trying again at once its habit, or waiting? One more try after a short write proves the
 * socket full and is good manners (nginx); a server that does more than that, or never waits,
 * spins. Runs need not be long: the shim cuts them short by raising the buffer.
 */
static bool spins(const struct facts *facts)
{
	const uint64_t *total = facts->total;
	uint64_t tries = total[TOTAL_SPIN_WRITES], resumes = total[TOTAL_RESUMES];

	return total[TOTAL_SPINNERS] > 0 ||
	       (tries > resumes && (tries >= 2 * total[TOTAL_SPIN_EPISODES] || resumes == 0));
}

static bool acts(const struct facts *facts)
{
	return facts->header->mode == MODE_ADAPT &&
	       facts->header->option_value[CONFIG_write] != WRITE_OFF;
}

static const char *many(uint64_t count, const char *one, const char *several)
{
	return count == 1 ? one : several;
}

static void say_off(const struct facts *facts, FILE *out)
{
	if (facts->header->mode == MODE_OFF)
		fputs("The shim is off in this process (mode=off): nothing is counted or "
		      "changed.\n",
		      out);
}

static void say_spin(const struct facts *facts, FILE *out)
{
	uint64_t tries = facts->total[TOTAL_SPIN_WRITES], sockets = facts->total[TOTAL_SPINNERS];

	if (!spins(facts))
		return;
	fprintf(out, "Write-spin");
	if (sockets)
		fprintf(out, " on %s %s", text_count(sockets), many(sockets, "socket", "sockets"));
	fprintf(out,
		": on a full socket the server tries again at once instead of waiting, %s %s (%s "
		"of its write calls",
		text_count(tries), many(tries, "time", "times"),
		derive_share(tries, facts->total[TOTAL_WRITES]));
	if (facts->spins_max)
		fprintf(out, ", up to %s in one go", text_count(facts->spins_max));
	fputs(sockets ? "). That burns CPU and keeps its other clients waiting.\n" : ").\n", out);
}

static void say_stalls(const struct facts *facts, FILE *out)
{
	uint64_t trips = facts->total[TOTAL_TRIPS], drains = facts->total[TOTAL_DRAINS];

	if (!facts->stalls || spins(facts))
		return;
	fprintf(out,
		"%s of %s writes stalled (%s) and the server waited before it went on: correct, "
		"but each return costs a trip through its event loop",
		text_count(facts->stalls), text_count(facts->total[TOTAL_WRITES]),
		derive_share(facts->stalls, facts->total[TOTAL_WRITES]));
	if (trips)
		fprintf(out, " (%s of its own time on average)",
			text_duration(facts->total[TOTAL_TRIP_NS] / trips));
	if (drains)
		fprintf(out, "; a full socket took %s on average to become writable",
			text_duration(facts->total[TOTAL_DRAIN_NS] / drains));
	fputs(".\n", out);
}

static void say_grown(const struct facts *facts, FILE *out)
{
	uint64_t sockets = facts->total[TOTAL_GROWN_SOCKETS];

	if (!sockets)
		return;
	fprintf(out, "The shim raised the send %s of %s %s", many(sockets, "buffer", "buffers"),
		text_count(sockets), many(sockets, "socket", "sockets"));
	if (facts->grown_to_max)
		fprintf(out, " (from %s to as much as %s)", text_bytes(facts->grown_from_min),
			text_bytes(facts->grown_to_max));
	fputs(", so that more of a response is handed over at once.\n", out);
}

/* What was done about stalled writes inside the server's own calls. */
static void say_inside(const struct facts *facts, FILE *out)
{
	uint64_t finished = facts->total[TOTAL_FINISHED_CALLS];
	uint64_t blocked = facts->total[TOTAL_BLOCKED_CALLS];

	if (finished)
		fprintf(out, "The shim finished %s stalled %s inside the server's own call",
			text_count(finished), many(finished, "write", "writes"));
	if (finished && blocked)
		fprintf(out, ", waiting %s in all instead of spinning",
			text_duration(facts->total[TOTAL_BLOCKED_NS]));
	if (finished)
		fputs(".\n", out);
	if (facts->total[TOTAL_BLOCK_LIMITS])
		fprintf(out, "%s of its waits ended at the limit (block_max_ms).\n",
			text_count(facts->total[TOTAL_BLOCK_LIMITS]));
}

/* Of the sockets that stalled and were left alone, the commonest reason. */
static void say_untreated(const struct facts *facts, FILE *out)
{
	unsigned top = 0;

	if (!facts->stalls || !acts(facts))
		return;
	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (facts->untreated[i] > facts->untreated[top])
			top = i;
	if (facts->untreated[top] && top != REASON_NONE)
		fprintf(out, "%s stalled %s left alone, mostly for this reason: %s.\n",
			text_count(facts->untreated[top]),
			many(facts->untreated[top], "socket was", "sockets were"),
			names_reason_text(top));
}

static void say_observing(const struct facts *facts, FILE *out)
{
	if (facts->stalls && !acts(facts) && facts->header->mode != MODE_OFF)
		fputs("The shim only counted. Start the server with UNSPIN_MODE=adapt and "
		      "UNSPIN_WRITE=auto (the defaults) to let it act.\n",
		      out);
}

static void say_limits(const struct facts *facts, FILE *out)
{
	uint64_t refused = facts->global[GLOBAL_BUDGET_REFUSALS];

	if (refused)
		fprintf(out,
			"The budget for send buffers was spent %s %s; if the machine has the "
			"memory, raise UNSPIN_SNDBUF_BUDGET.\n",
			text_count(refused), many(refused, "time", "times"));
	if (facts->global[GLOBAL_AUX_REFUSED])
		fputs("The kernel or a filter (seccomp) refused a call of the shim, so part of it "
		      "is off in this process.\n",
		      out);
	if (facts->header->can_unlock == 2 && facts->stalls)
		fputs("This kernel cannot give auto-tuning back to a raised buffer (it needs "
		      "Linux 5.15), so only buffers that outgrow auto-tuning are raised.\n",
		      out);
}

/* The place with most of it, if it has half of it at least, or half of all waits: one wait may have
 * brought many an EPOLLOUT. */
static void say_where(const struct facts *facts, size_t offset, uint64_t count, FILE *out)
{
	const struct waste_site *site = derive_worst_site(facts->view, offset);
	uint64_t here = 0;

	if (site)
		memcpy(&here, (const char *)site + offset, sizeof(here));
	if (!site || (here < count / 2 && here < facts->total[TOTAL_WAITS] / 2))
		return;
	fprintf(out, " (called from %s", symbol_text(facts->view, site->address));
	if (!site->is_shared && site->tid)
		fprintf(out, ", thread %d", site->tid);
	putc(')', out);
}

static bool is_habit(uint64_t count, uint64_t of, unsigned percent)
{
	return count >= WAKEUP_MIN && derive_percent(count, of) >= percent;
}

static void say_wakeups(const struct facts *facts, FILE *out)
{
	static const struct {
		enum total count, of;
		size_t site; /* its counter at a call site */
		unsigned percent; /* from this share on it is a fault */
		const char *what;
	} rows[] = {
		{ TOTAL_IDLE_POLLS, TOTAL_WAITS, offsetof(struct waste_site, idle_polls),
		  WAKEUP_PERCENT,
		  "of its waits were idle polls: it looks for work with a tiny timeout instead of "
		  "sleeping until there is some" },
		{ TOTAL_UNUSED_OUT, TOTAL_WAIT_EVENTS, offsetof(struct waste_site, idle_outs),
		  WAKEUP_PERCENT,
		  "of its wake-ups said \"writable\" to a thread that had nothing to write: "
		  "EPOLLOUT stays registered too long" },
		{ TOTAL_DRY_IN, TOTAL_WAIT_EVENTS, offsetof(struct waste_site, dry_in),
		  WAKEUP_PERCENT,
		  "of its wake-ups said \"readable\", and the read found nothing" },
		{ TOTAL_HERD_ACCEPTS, TOTAL_WAIT_EVENTS, offsetof(struct waste_site, herd_accepts),
		  WAKEUP_PERCENT,
		  "of its wake-ups were for a connection another thread or process had already "
		  "accepted (thundering herd)" },
		{ TOTAL_THIN_WAITS, TOTAL_WAITS, offsetof(struct waste_site, thin_waits),
		  THIN_PERCENT,
		  "of its waits were thin: 1 to 3 events at a time, in threads that hardly ever slept or "
		  "whose processor others wanted" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t count = facts->total[rows[i].count], of = facts->total[rows[i].of];

		if (is_habit(count, of, rows[i].percent)) {
			fprintf(out, "%u %% %s", derive_percent(count, of), rows[i].what);
			say_where(facts, rows[i].site, count, out);
			fputs(".\n", out);
		}
	}
}

/* What was done about them. Time in all, where there is a row of it. */
static void say_calmed(const struct facts *facts, FILE *out)
{
	static const struct {
		enum total count, ns; /* TOTAL_COUNT: no time */
		const char *before, *one, *many;
	} rows[] = {
		{ TOTAL_EXCLUSIVE_ADDS, TOTAL_COUNT, "The shim gave EPOLLEXCLUSIVE to",
		  "registration of a listener, so that one thread is woken per connection",
		  "registrations of listeners, so that one thread is woken per connection" },
		{ TOTAL_STRETCHED_POLLS, TOTAL_STRETCHED_NS, "The shim kept",
		  "idle poll waiting a little", "idle polls waiting a little" },
		{ TOTAL_MASKED_WAITS, TOTAL_MASKED_NS, "The shim kept",
		  "wait that would only have said \"writable\" waiting a little",
		  "waits that would only have said \"writable\" waiting a little" },
		{ TOTAL_GATHERED_WAITS, TOTAL_GATHERED_NS, "The shim handed the processor on before",
		  "wait, so that events gather", "waits, so that events gather" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t count = facts->total[rows[i].count];

		if (!count)
			continue;
		fprintf(out, "%s %s %s", rows[i].before, text_count(count),
			many(count, rows[i].one, rows[i].many));
		if (rows[i].ns != TOTAL_COUNT)
			fprintf(out, ": %s in all", text_duration(facts->total[rows[i].ns]));
		fputs(".\n", out);
	}
}

static void say_idle(const struct facts *facts, FILE *out)
{
	if (facts->header->mode != MODE_OFF && !facts->total[TOTAL_WRITES])
		fprintf(out,
			"No write to a stream socket was seen. If the server is answering clients, "
			"its writes go past the shim: `unspin check %d` says why.\n",
			facts->header->pid);
}

static void say_settings(const struct facts *facts, FILE *out)
{
	uint32_t problems = facts->header->problem_count;

	if (problems)
		fprintf(out, "%u %s ignored, see above; the %s used instead.\n", problems,
			many(problems, "setting was", "settings were"),
			many(problems, "default was", "defaults were"));
}

static void say_untracked(const struct facts *facts, FILE *out)
{
	uint64_t sockets = facts->global[GLOBAL_SOCKETS_UNTRACKED];

	if (sockets)
		fprintf(out,
			"%s %s found no free row and %s in the totals only; a larger "
			"UNSPIN_STATS_SOCKETS would show all.\n",
			text_count(sockets), many(sockets, "socket", "sockets"),
			many(sockets, "is", "are"));
}

/* What was wrong comes first; the rules of the second table do not count as "wrong". */
static rule *const faults[] = {
	say_off,    say_idle,	   say_spin,	  say_stalls, say_grown,
	say_inside, say_untreated, say_observing, say_limits, say_wakeups,
	say_calmed,
};
static rule *const remarks[] = { say_untracked, say_settings };

char *advice_text(const struct stats_view *view)
{
	struct facts facts;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		abort();
	collect(view, &facts);
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		faults[i](&facts, out);
	fflush(out);
	if (bytes == 0)
		fprintf(out, "Nothing wrong seen: all %s writes were taken at once.\n",
			text_count(facts.total[TOTAL_WRITES]));
	for (unsigned i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++)
		remarks[i](&facts, out);
	if (fclose(out) || !text)
		abort();
	/* Separated by newlines, not ended by one. */
	text[bytes - 1] = '\0';
	return text;
}
