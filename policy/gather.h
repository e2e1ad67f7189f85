/* SPDX-License-Identifier: MIT */
/*
 * gather: a thread of a saturated machine that comes back from each wait with one or two events
 * pays a switch and a wait for each. If it naps for a moment before it waits, those who make its
 * events run first, and it finds them together.
 *
 *	OFF --thin waits--> PROBE --processor wanted by others--> PLAIN <-> NAP --it pays--> ON
 *	 ^  later each time   |                                     |                        |
 *	 '--------------------+------------- it does not -----------'<------- in a while ----'
 *
 * What gathers is not thin, so whether it still would be, a plain turn tells: waits that are thick by
 * themselves, or rare, end it, and it begins again when they are thin again. Forced, there is no
 * more to a trial than that turn.
 *
 * Saturation is what sched_yield() says: where nobody else wants the processor it returns at once.
 * (Where somebody does, it often does too: the scheduler, EEVDF since Linux 6.6, only moves the
 * caller's deadline. Of a split server's yields on a saturated machine a half took longer.)
 * Whether it pays is measured, not assumed: the thread waits plainly and naps by turns, and what
 * the process got done in both is compared. Pure and per thread: counts and times in, answers out.
 */
#ifndef UNSPIN_GATHER_POLICY_H
#define UNSPIN_GATHER_POLICY_H

#include <stdint.h>

#include "../probes/thin.h"

#define GATHER_THIN	   THIN_EVENTS /* per wait, in the mean */
#define GATHER_BUSY_NS	   THIN_BUSY_NS
#define GATHER_PROBES	   32	   /* yields timed before a trial */
#define GATHER_CONTENDED_NS 5000   /* a yield that took this long has let somebody run: two switches */
#define GATHER_CONTENDED    8	   /* of the probes, at least */
#define GATHER_ARM_NS	   20000000 /* one turn of a trial: several slices of the scheduler (3 ms) */
#define GATHER_PAIRS	   8	   /* turns of each kind in a trial: 0.3 s */
#define GATHER_LATE_NS	   (4 * GATHER_ARM_NS) /* a turn that took longer: the thread had nothing to do */
#define GATHER_ON_NS	   2000000000ull /* until the next trial */
#define GATHER_OFF_NS	   1000000000ull /* after a trial in vain; doubles ... */
#define GATHER_OFF_MAX	   9	   /* ... so many times: 8.5 minutes */
#define GATHER_MORE_PERMILLE 1500  /* events per wait must rise to this ... */
#define GATHER_GAIN_PERMILLE 1020  /* ... and the work done per time to this, ... */
#define GATHER_LOSSES	     1	   /* ... and of the pairs of turns at most so many may be lost: chance
				    * wins 7 of 8 once in 28 trials */

enum gather_state { GATHER_OFF, GATHER_PROBE, GATHER_PLAIN, GATHER_NAP, GATHER_ON };

/* Running totals at one moment. */
struct gather_sample {
	uint64_t now_ns;
	uint64_t waits, events; /* of the thread */
	uint64_t work;		/* of the process: bytes moved on its sockets */
};

struct gather {
	uint32_t state; /* enum gather_state */
	uint32_t turns; /* of a trial, ended */
	uint32_t probes, contended;
	uint32_t losses;   /* pairs in which the nap got less done */
	uint32_t failures; /* trials in vain in a row */
	uint32_t was_on;   /* when the trial began */
	uint64_t until_ns; /* OFF: nothing before; PLAIN, NAP, ON: not longer */
	struct gather_sample from; /* when the state began */
	struct gather_sample plain, nap; /* summed over the turns; now_ns: time */
	struct gather_sample last;	 /* the latest plain turn */
};

/* Does the thread nap before its waits? */
static inline int gather_naps(const struct gather *g)
{
	return g->state == GATHER_NAP || g->state == GATHER_ON;
}

/* A yield of the PROBE state took so long. */
void gather_probed(struct gather *g, uint64_t ns, const struct gather_sample *sample);

enum gather_verdict {
	GATHER_GO_ON,
	GATHER_PAYS,
	GATHER_GIVEN_UP,
	GATHER_NOT_THIN, /* was on, and is not called for any more */
};

/*
 * Now and then (in OFF every few hundred waits, else every few). Returns what was decided just now.
 * is_forced: the user asked for it, so what is thin is gathered without proof, while it is.
 */
enum gather_verdict gather_look(struct gather *g, const struct gather_sample *sample,
				int is_forced);

#endif
