/* SPDX-License-Identifier: MIT */
/* needs: policy/wake.c */
#include "unit.h"

#include <sys/epoll.h>

#include "policy/wake.h"

/* So many events of each kind, looked at one by one as the shim does. */
static enum wake_verdict events(struct wake_listener *l, unsigned useful, unsigned herds)
{
	enum wake_verdict verdict = (enum wake_verdict)l->verdict;

	while (useful || herds) {
		if (useful) {
			useful--;
			l->useful++;
			verdict = wake_listener_look(l, 0);
		}
		if (herds) {
			herds--;
			l->herds++;
			verdict = wake_listener_look(l, 0);
		}
	}
	return verdict;
}

static void masks_are_those_the_kernel_takes(void **unused)
{
	static const struct {
		uint32_t mask;
		int may;
	} cases[] = {
		{ EPOLLIN, 1 },
		{ EPOLLIN | EPOLLET, 1 },
		{ EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP, 1 },
		{ EPOLLIN | EPOLLWAKEUP, 1 },
		{ 0, 0 }, /* disarmed: nobody is woken anyway */
		{ EPOLLOUT, 0 },
		{ EPOLLIN | EPOLLRDHUP, 0 },
		{ EPOLLIN | EPOLLONESHOT, 0 },
		{ EPOLLIN | EPOLLPRI, 0 },
		{ EPOLLIN | EPOLLRDNORM, 0 },
		{ EPOLLIN | EPOLLEXCLUSIVE, 0 }, /* the host's own */
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(wake_may_be_exclusive(cases[i].mask), cases[i].may);
}

static void listener_without_herd_is_left_alone(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, 100000, 0), WAKE_VERDICT_LEAVE);
	/* One wake-up in five is not yet worth it, however many there are. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(events(&l, 4, 1), WAKE_VERDICT_LEAVE);
}

static void few_events_decide_nothing(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, 0, WAKE_LOOK - 1), WAKE_VERDICT_LEAVE);
	assert_int_equal(events(&l, 0, 1), WAKE_VERDICT_EXCLUSIVE);
}

static void herd_after_a_quiet_past_is_noticed_soon(void **unused)
{
	struct wake_listener l = { .watchers = 2 };

	(void)unused;
	events(&l, 1000000, 0);
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
}

static void treatment_that_pays_is_kept(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 4, WAKE_LOOK - WAKE_LOOK / 4),
			 WAKE_VERDICT_EXCLUSIVE);
	for (int i = 0; i < 20; i++)
		assert_int_equal(events(&l, WAKE_PROOF, WAKE_PROOF / 4), WAKE_VERDICT_EXCLUSIVE);
}

static void treatment_that_does_not_pay_is_withdrawn_and_tried_again_much_later(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
	for (unsigned again = WAKE_AGAIN; again <= 4 * WAKE_AGAIN_MAX; again *= 2) {
		unsigned wait = again < WAKE_AGAIN_MAX ? again : WAKE_AGAIN_MAX;

		assert_int_equal(events(&l, WAKE_PROOF, WAKE_PROOF), WAKE_VERDICT_WITHDRAWN);
		assert_int_equal(events(&l, wait / 2, wait / 2 - 1), WAKE_VERDICT_WITHDRAWN);
		l.herds++;
		assert_int_equal(wake_listener_look(&l, 0), WAKE_VERDICT_LEAVE);
		assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
	}
}

/* A window of WAKE_PROOF events, so many of them in vain. */
static enum wake_verdict window(struct wake_listener *l, unsigned herds)
{
	l->useful += WAKE_PROOF - herds;
	l->herds += herds;
	return wake_listener_look(l, 0);
}

static void one_bad_window_is_not_enough(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(window(&l, WAKE_PROOF / 2), WAKE_VERDICT_EXCLUSIVE);
		assert_int_equal(window(&l, WAKE_PROOF / 5), WAKE_VERDICT_EXCLUSIVE);
	}
	assert_int_equal(window(&l, WAKE_PROOF / 2), WAKE_VERDICT_EXCLUSIVE);
	assert_int_equal(window(&l, WAKE_PROOF / 2), WAKE_VERDICT_WITHDRAWN);
}

/* The window that led to it happened to show few: half of that is less than what always remains. */
static void share_too_small_for_a_treatment_is_no_reason_against_one(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK * 3 / 4, WAKE_LOOK / 4), WAKE_VERDICT_EXCLUSIVE);
	for (int i = 0; i < 10; i++)
		assert_int_equal(window(&l, WAKE_PROOF / 4 - 1), WAKE_VERDICT_EXCLUSIVE);
}

static void window_judged_by_two_processes_is_one(void **unused)
{
	struct wake_listener l = { .watchers = 16 };
	uint64_t useful, herds;

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
	useful = l.from_useful;
	herds = l.from_herds;
	assert_int_equal(window(&l, WAKE_PROOF / 2), WAKE_VERDICT_EXCLUSIVE);
	l.from_useful = useful;
	l.from_herds = herds;
	assert_int_equal(wake_listener_look(&l, 0), WAKE_VERDICT_EXCLUSIVE);
	assert_int_equal(window(&l, WAKE_PROOF / 2), WAKE_VERDICT_WITHDRAWN);
}

static void forced_needs_a_second_set_and_nothing_else(void **unused)
{
	struct wake_listener l = { .watchers = 1 };

	(void)unused;
	assert_int_equal(wake_listener_look(&l, 1), WAKE_VERDICT_LEAVE);
	l.watchers = 2;
	assert_int_equal(wake_listener_look(&l, 1), WAKE_VERDICT_EXCLUSIVE);
	l.herds += 100 * WAKE_PROOF; /* never withdrawn */
	assert_int_equal(wake_listener_look(&l, 1), WAKE_VERDICT_EXCLUSIVE);
}

static void turns_go_by_connections_that_stay(void **unused)
{
	struct wake_turn t = { 0 };
	unsigned turns = 0, open = 0;

	(void)unused;
	/* Short ones: a turn every WAKE_TURN at first, then none. */
	for (int i = 0; i < 1000; i++)
		if (wake_turn_is_due(&t, 1)) {
			turns++;
			wake_turn_begin(&t, 1);
		}
	assert_int_equal(turns, WAKE_FIRST_TURNS);
	for (int i = 1; i <= 10 * WAKE_TURN; i++) {
		int is_due = wake_turn_is_due(&t, ++open);

		assert_int_equal(is_due, i > 1 && i % WAKE_TURN == 1);
		if (is_due)
			wake_turn_begin(&t, open);
	}
	/* Half of them were closed: only what comes beyond what is left counts. */
	open /= 2;
	for (int i = 1; i < WAKE_TURN; i++)
		assert_false(wake_turn_is_due(&t, open + 1));
	assert_true(wake_turn_is_due(&t, open + 1 + WAKE_TURN));
}

/* Connections of which a watcher hears nothing; it uses so much for each. */
static uint64_t slept_through(struct wake_watcher *w, struct wake_listener *l, unsigned n,
			      uint64_t each_ns)
{
	l->useful += n;
	return wake_watcher_vain(w, l->useful, w->cpu_then_ns + n * each_ns);
}

static void watcher_without_events_shows_by_its_cpu_time_that_it_was_woken(void **unused)
{
	struct wake_watcher w = { .pid = 1 };
	struct wake_listener l = { 0 };

	(void)unused;
	l.useful = 1000;
	assert_int_equal(wake_watcher_vain(&w, l.useful, 1000000000), 0); /* the first look */
	assert_int_equal(slept_through(&w, &l, 32, 4000), 32);
	assert_int_equal(slept_through(&w, &l, 32, 10), 0); /* it was not woken: a timer, say */
	assert_int_equal(slept_through(&w, &l, 32, WAKE_VAIN_NS), 32);
	w.events++; /* it accepts: then it counts for itself */
	assert_int_equal(slept_through(&w, &l, 32, 4000), 0);
	assert_int_equal(slept_through(&w, &l, 32, 4000), 32);
	assert_int_equal(slept_through(&w, &l, 0, 0), 0);
	assert_int_equal(wake_watcher_vain(&w, l.useful - 5, w.cpu_then_ns + 1), 0); /* a race */
}

static void watchers_are_asked_at_the_end_of_a_window(void **unused)
{
	struct wake_listener l = { .watchers = 2, .useful = WAKE_LOOK - 1 };

	(void)unused;
	assert_false(wake_listener_asks(&l));
	l.useful++;
	assert_true(wake_listener_asks(&l));
	l.watchers = 1;
	assert_false(wake_listener_asks(&l));
	l.watchers = 2;
	l.verdict = WAKE_VERDICT_EXCLUSIVE; /* by the herd that was seen: it is judged by that */
	l.useful += WAKE_PROOF;
	assert_false(wake_listener_asks(&l));
	l.is_by_vain = 1;
	assert_true(wake_listener_asks(&l));
	l.verdict = WAKE_VERDICT_WITHDRAWN;
	assert_false(wake_listener_asks(&l));
}

static void herd_that_only_cpu_time_shows_is_treated_and_judged_by_it(void **unused)
{
	struct wake_listener l = { .watchers = 4, .vain = 3 * WAKE_LOOK };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK, 0), WAKE_VERDICT_EXCLUSIVE);
	assert_int_equal(events(&l, WAKE_PROOF, 0), WAKE_VERDICT_EXCLUSIVE);
	l.vain += 3 * WAKE_PROOF; /* it was no herd: they had something else to do */
	assert_int_equal(events(&l, WAKE_PROOF, 0), WAKE_VERDICT_EXCLUSIVE);
	l.vain += 3 * WAKE_PROOF;
	assert_int_equal(events(&l, WAKE_PROOF, 0), WAKE_VERDICT_WITHDRAWN);
}

static void herd_that_was_seen_is_not_judged_by_cpu_time(void **unused)
{
	struct wake_listener l = { .watchers = 4, .vain = 3 * WAKE_LOOK };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
	for (int i = 0; i < 2 * WAKE_BAD_WINDOWS; i++) {
		l.vain += 3 * WAKE_PROOF; /* busy with the connections they have */
		assert_int_equal(events(&l, WAKE_PROOF, 0), WAKE_VERDICT_EXCLUSIVE);
	}
}

/* Processes share the counts without a lock. */
static void window_another_process_has_just_moved_is_empty(void **unused)
{
	struct wake_listener l = { .useful = 10, .herds = 10, .from_useful = 12, .from_herds = 500 };

	(void)unused;
	assert_int_equal(wake_listener_look(&l, 0), WAKE_VERDICT_LEAVE);
}

/* So many waits of a kind; returns what the next may wait. */
static uint32_t waits(struct wake_stretch *s, unsigned n, enum wake_poll was)
{
	while (n--)
		wake_stretch_wait(s, was, 0, 500);
	return s->us;
}

static void few_idle_polls_are_not_stretched(void **unused)
{
	struct wake_stretch s = { 0 };

	(void)unused;
	for (int i = 0; i < 100; i++) {
		/* libuv's burst at most, or a host that spins before it sleeps */
		assert_int_equal(waits(&s, WAKE_STRETCH_AFTER - 1, WAKE_POLL_IDLE), 0);
		assert_int_equal(waits(&s, 1, i % 2 ? WAKE_POLL_EVENTS : WAKE_POLL_WORK), 0);
	}
}

static void stretch_doubles_up_to_the_bound(void **unused)
{
	static const uint32_t us[] = { 20, 40, 80, 160, 320, 500, 500 };
	struct wake_stretch s = { 0 };

	(void)unused;
	waits(&s, WAKE_STRETCH_AFTER - 1, WAKE_POLL_IDLE);
	for (size_t i = 0; i < COUNT_OF(us); i++)
		assert_int_equal(waits(&s, 1, WAKE_POLL_IDLE), us[i]);
	assert_int_equal(waits(&s, 10 * WAKE_STRETCH_TRUST, WAKE_POLL_IDLE), 500);
	assert_int_equal(waits(&s, 1, WAKE_POLL_EVENTS), 0);
	assert_int_equal(waits(&s, WAKE_STRETCH_AFTER / 2 - 1, WAKE_POLL_IDLE), 0);
	assert_int_equal(waits(&s, 1, WAKE_POLL_IDLE), 20);
}

static void events_that_end_stretches_make_them_come_sooner(void **unused)
{
	struct wake_stretch s = { 0 };
	unsigned n;

	(void)unused;
	for (n = WAKE_STRETCH_AFTER; n >= WAKE_STRETCH_LEAST; n /= 2) {
		assert_int_equal(waits(&s, n - 1, WAKE_POLL_IDLE), 0);
		assert_int_equal(waits(&s, 1, WAKE_POLL_IDLE), 20);
		assert_int_equal(waits(&s, 1, WAKE_POLL_EVENTS), 0);
	}
	/* Not below; and one doubt ends the trust. */
	assert_int_equal(waits(&s, WAKE_STRETCH_LEAST - 1, WAKE_POLL_IDLE), 0);
	assert_int_equal(waits(&s, 1, WAKE_POLL_IDLE), 20);
	assert_int_equal(waits(&s, 1, WAKE_POLL_WORK), 0);
	assert_int_equal(waits(&s, WAKE_STRETCH_AFTER - 1, WAKE_POLL_IDLE), 0);
	/* Events that end no stretch say nothing. */
	waits(&s, 1, WAKE_POLL_EVENTS);
	assert_int_equal(waits(&s, WAKE_STRETCH_AFTER - 1, WAKE_POLL_IDLE), 0);
}

static void polls_that_wait_themselves_count_as_long_looks(void **unused)
{
	static const uint32_t us[] = { 2020, 4040, 8080, 16160, 20000, 20000 };
	struct wake_stretch s = { 0 };

	(void)unused;
	for (int i = 0; i < 16; i++) { /* of 63 each: 1008 */
		wake_stretch_wait(&s, WAKE_POLL_IDLE, 1000, 20000);
		assert_int_equal(s.us, 0);
	}
	for (size_t i = 0; i < COUNT_OF(us); i++) {
		wake_stretch_wait(&s, WAKE_POLL_IDLE, 1000, 20000);
		assert_int_equal(s.us, us[i]);
	}
}

static void work_that_came_late_makes_stretches_rarer(void **unused)
{
	struct wake_stretch s = { 0 };

	(void)unused;
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(waits(&s, (WAKE_STRETCH_AFTER << n) - 1, WAKE_POLL_IDLE), 0);
		assert_int_equal(waits(&s, 1, WAKE_POLL_IDLE), 20);
		assert_int_equal(waits(&s, 1, WAKE_POLL_WORK), 0);
	}
	for (int i = 0; i < 40; i++) { /* without end, but not beyond the bound */
		waits(&s, 2 * WAKE_STRETCH_AFTER_MAX, WAKE_POLL_IDLE);
		waits(&s, 1, WAKE_POLL_WORK);
	}
	assert_true(s.need <= WAKE_STRETCH_AFTER_MAX);
	/* Trust comes back with time. */
	waits(&s, 4 * WAKE_STRETCH_AFTER_MAX, WAKE_POLL_IDLE);
	assert_int_equal(s.need, WAKE_STRETCH_AFTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_are_those_the_kernel_takes),
		cmocka_unit_test(listener_without_herd_is_left_alone),
		cmocka_unit_test(few_events_decide_nothing),
		cmocka_unit_test(herd_after_a_quiet_past_is_noticed_soon),
		cmocka_unit_test(treatment_that_pays_is_kept),
		cmocka_unit_test(treatment_that_does_not_pay_is_withdrawn_and_tried_again_much_later),
		cmocka_unit_test(forced_needs_a_second_set_and_nothing_else),
		cmocka_unit_test(turns_go_by_connections_that_stay),
		cmocka_unit_test(one_bad_window_is_not_enough),
		cmocka_unit_test(share_too_small_for_a_treatment_is_no_reason_against_one),
		cmocka_unit_test(window_judged_by_two_processes_is_one),
		cmocka_unit_test(watcher_without_events_shows_by_its_cpu_time_that_it_was_woken),
		cmocka_unit_test(watchers_are_asked_at_the_end_of_a_window),
		cmocka_unit_test(herd_that_only_cpu_time_shows_is_treated_and_judged_by_it),
		cmocka_unit_test(herd_that_was_seen_is_not_judged_by_cpu_time),
		cmocka_unit_test(window_another_process_has_just_moved_is_empty),
		cmocka_unit_test(few_idle_polls_are_not_stretched),
		cmocka_unit_test(stretch_doubles_up_to_the_bound),
		cmocka_unit_test(work_that_came_late_makes_stretches_rarer),
		cmocka_unit_test(events_that_end_stretches_make_them_come_sooner),
		cmocka_unit_test(polls_that_wait_themselves_count_as_long_looks),
	};

	return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}
