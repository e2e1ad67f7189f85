/* SPDX-License-Identifier: MIT */
/* needs: policy/gather.c */
#include "unit.h"

#include "policy/gather.h"

#define US 1000ull
#define MS 1000000ull

/* A thread in a made-up world: what a wait brings, how long it takes, what it gets done. */
struct world {
	struct gather g;
	struct gather_sample now;
	uint64_t plain_events, nap_events; /* per wait */
	uint64_t plain_ns, nap_ns;	   /* per wait */
	uint64_t plain_work, nap_work;	   /* per wait */
	uint64_t yield_ns;
	int is_forced;
	unsigned pays, given_up, not_thin;
};

static void wait_once(struct world *w)
{
	int naps = gather_naps(&w->g);

	if (w->g.state == GATHER_PROBE)
		gather_probed(&w->g, w->yield_ns, &w->now);
	w->now.waits++;
	w->now.events += naps ? w->nap_events : w->plain_events;
	w->now.now_ns += naps ? w->nap_ns : w->plain_ns;
	w->now.work += naps ? w->nap_work : w->plain_work;
}

/* As the shim: every 256 waits while off, else every 16. */
static void play(struct world *w, uint64_t ns)
{
	uint64_t end = w->now.now_ns + ns;

	while (w->now.now_ns < end) {
		unsigned every = w->g.state == GATHER_OFF ? 256 : 16;

		for (unsigned i = 0; i < every; i++)
			wait_once(w);
		switch (gather_look(&w->g, &w->now, w->is_forced)) {
		case GATHER_PAYS:
			w->pays++;
			break;
		case GATHER_NOT_THIN:
			w->not_thin++;
			break;
		case GATHER_GIVEN_UP:
			w->given_up++;
			break;
		case GATHER_GO_ON:
			break;
		}
	}
}

/* One event per wait natively; gathered, four of them in three times the time: a third more. */
static struct world starving(void)
{
	return (struct world){
		.now = { .now_ns = 1000 * MS },
		.plain_events = 1, .plain_ns = 50 * US, .plain_work = 100,
		.nap_events = 4, .nap_ns = 150 * US, .nap_work = 400,
		.yield_ns = 30 * US,
	};
}

static void what_pays_is_kept_and_tried_again_and_again(void **unused)
{
	struct world w = starving();

	(void)unused;
	play(&w, 400 * MS);
	assert_int_equal(w.g.state, GATHER_ON);
	assert_int_equal(w.pays, 1);
	play(&w, 10000 * MS);
	assert_in_range(w.pays, 4, 6); /* 2 s on, 0.3 s of trial */
	assert_int_equal(w.given_up, 0);
	/* The load has changed: the next trial ends it. */
	w.nap_work = 200;
	play(&w, 2300 * MS);
	assert_int_equal(w.g.state, GATHER_OFF);
	assert_int_equal(w.given_up, 1);
}

static void thick_waits_are_left_alone(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.plain_events = GATHER_THIN;
	play(&w, 5000 * MS);
	assert_int_equal(w.g.state, GATHER_OFF);
	assert_int_equal(w.g.probes, 0);
}

static void a_thread_that_sleeps_is_left_alone(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.plain_ns = GATHER_BUSY_NS;
	play(&w, 5000 * MS);
	assert_int_equal(w.g.probes, 0);
}

static void a_free_processor_is_left_alone(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.yield_ns = GATHER_CONTENDED_NS - 1;
	play(&w, 500 * MS);
	assert_int_equal(w.g.probes, GATHER_PROBES);
	assert_int_equal(w.g.state, GATHER_OFF);
	assert_int_equal(w.pays + w.given_up, 0);
}

static unsigned trials_in(struct world *w, uint64_t ns)
{
	unsigned before = w->given_up;

	play(w, ns);
	return w->given_up - before;
}

static void what_does_not_pay_is_given_up_for_longer_and_longer(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.nap_work = 300; /* as much per time as plain: no gain */
	assert_in_range(trials_in(&w, 10000 * MS), 2, 4);  /* after 0, 1, 2, 4 s */
	assert_in_range(trials_in(&w, 100000 * MS), 3, 5); /* 8, 16, 32, 64 */
	assert_int_equal(w.pays, 0);
	/* But not for ever. */
	w.nap_work = 400;
	play(&w, (GATHER_OFF_NS << GATHER_OFF_MAX) + 1000 * MS);
	assert_int_equal(w.g.state, GATHER_ON);
}

/* One pair in three that the nap loses, by much or by little, however much the others win. */
static void what_wins_only_most_of_the_time_is_given_up_early(void **unused)
{
	struct world w = starving();
	unsigned pair = 0, state = GATHER_OFF;

	(void)unused;
	while (!w.given_up && !w.pays) {
		play(&w, 1);
		if (w.g.state == GATHER_NAP && state != GATHER_NAP)
			w.nap_work = pair++ % 3 == 1 ? 290 : 600;
		state = w.g.state;
	}
	assert_int_equal(w.given_up, 1);
	assert_int_equal(pair, 5); /* the second and the fifth were lost */
	assert_int_equal(w.g.losses, 2);
}

static void more_work_without_more_events_is_no_proof(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.nap_events = 1;
	play(&w, 500 * MS);
	assert_int_equal(w.given_up, 1);
	assert_int_equal(w.g.state, GATHER_OFF);
}

static void a_pause_of_the_load_ends_a_trial_without_a_verdict(void **unused)
{
	struct world w = starving();

	(void)unused;
	while (w.g.state != GATHER_NAP)
		play(&w, 1);
	w.now.now_ns += 1000 * MS;
	play(&w, 1);
	assert_int_equal(w.g.state, GATHER_OFF);
	assert_int_equal(w.given_up, 0);
	assert_int_equal(w.g.failures, 0);
}

static void forced_needs_no_proof_but_thin_waits(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.is_forced = 1;
	w.nap_work = 0;
	w.yield_ns = 0;
	play(&w, 20 * MS);
	assert_int_equal(w.g.state, GATHER_ON);
	play(&w, 5000 * MS);
	assert_int_equal(w.g.state, GATHER_ON);
	w = starving();
	w.is_forced = 1;
	w.plain_events = GATHER_THIN;
	play(&w, 5000 * MS);
	assert_int_equal(w.g.state, GATHER_OFF);
}

static void what_is_thick_by_itself_is_gathered_no_more(void **unused)
{
	(void)unused;
	for (int is_forced = 0; is_forced < 2; is_forced++) {
		struct world w = starving();

		w.is_forced = is_forced;
		play(&w, 400 * MS);
		assert_int_equal(w.g.state, GATHER_ON);
		w.plain_events = w.nap_events = 4 * GATHER_THIN;
		w.nap_work = 1000; /* however much it gets done */
		play(&w, 2200 * MS);
		assert_int_equal(w.g.state, GATHER_OFF);
		assert_int_equal(w.not_thin, 1);
		assert_int_equal(w.given_up, 0);
		play(&w, 5000 * MS);
		assert_int_equal(w.g.state, GATHER_OFF);
		assert_int_equal(w.not_thin, 1);
		/* It is no failure: there is no time to wait when they are thin again. */
		w = (struct world){ .g = w.g, .now = w.now, .is_forced = is_forced,
				    .plain_events = 1, .plain_ns = 50 * US, .plain_work = 100,
				    .nap_events = 4, .nap_ns = 150 * US, .nap_work = 400,
				    .yield_ns = 30 * US };
		play(&w, 400 * MS);
		assert_int_equal(w.g.state, GATHER_ON);
	}
}

static void what_has_become_rare_is_gathered_no_more(void **unused)
{
	struct world w = starving();

	(void)unused;
	w.is_forced = 1;
	play(&w, 400 * MS);
	assert_int_equal(w.g.state, GATHER_ON);
	w.plain_ns = w.nap_ns = 2 * GATHER_BUSY_NS;
	play(&w, 2200 * MS);
	assert_int_equal(w.g.state, GATHER_OFF);
	assert_int_equal(w.not_thin, 1);
}

static void forced_naps_but_for_one_turn_now_and_then(void **unused)
{
	struct world w = starving();
	uint64_t plain = 0, all = 0, end;

	(void)unused;
	w.is_forced = 1;
	w.nap_work = 0;
	play(&w, 100 * MS);
	for (end = w.now.now_ns + 10000 * MS; w.now.now_ns < end;) {
		uint64_t began = w.now.now_ns;
		int naps = gather_naps(&w.g);

		play(&w, 1);
		all += w.now.now_ns - began;
		plain += naps ? 0 : w.now.now_ns - began;
	}
	assert_in_range(plain * 1000 / all, 5, 15); /* 20 ms in 2 s */
}

static void work_of_a_thread_that_ended_does_not_run_backwards(void **unused)
{
	struct world w = starving();

	(void)unused;
	while (w.g.state != GATHER_NAP)
		play(&w, 1);
	w.now.work = 0;
	play(&w, 400 * MS);
	assert_true(w.g.nap.work < 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_pays_is_kept_and_tried_again_and_again),
		cmocka_unit_test(thick_waits_are_left_alone),
		cmocka_unit_test(a_thread_that_sleeps_is_left_alone),
		cmocka_unit_test(a_free_processor_is_left_alone),
		cmocka_unit_test(what_does_not_pay_is_given_up_for_longer_and_longer),
		cmocka_unit_test(what_wins_only_most_of_the_time_is_given_up_early),
		cmocka_unit_test(more_work_without_more_events_is_no_proof),
		cmocka_unit_test(a_pause_of_the_load_ends_a_trial_without_a_verdict),
		cmocka_unit_test(forced_needs_no_proof_but_thin_waits),
		cmocka_unit_test(what_is_thick_by_itself_is_gathered_no_more),
		cmocka_unit_test(what_has_become_rare_is_gathered_no_more),
		cmocka_unit_test(forced_naps_but_for_one_turn_now_and_then),
		cmocka_unit_test(work_of_a_thread_that_ended_does_not_run_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
