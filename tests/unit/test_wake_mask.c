/* SPDX-License-Identifier: MIT */
/* needs: policy/wake_mask.c policy/wake.c */
#include "unit.h"

#include <sys/epoll.h>

#include "policy/wake_mask.h"

static void registrations_that_a_mod_would_change_are_left_alone(void **unused)
{
	static const struct {
		uint32_t mask;
		int may;
	} cases[] = {
		{ EPOLLOUT, 1 },
		{ EPOLLIN | EPOLLOUT, 1 },
		{ EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP, 1 },
		{ EPOLLIN, 0 }, /* nothing to take out */
		{ EPOLLIN | EPOLLOUT | EPOLLET, 0 },
		{ EPOLLIN | EPOLLOUT | EPOLLONESHOT, 0 },
		{ EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE, 0 },
		{ EPOLLIN | EPOLLOUT | EPOLLWAKEUP, 0 },
		{ EPOLLIN | EPOLLOUT | EPOLLWRNORM, 0 }, /* would go on saying so */
		{ 0, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(wake_may_be_masked(cases[i].mask), cases[i].may);
}

/* So many waits of a kind; returns how long the next may be kept. */
static uint32_t waits(struct wake_mask *m, unsigned n, enum wake_poll was)
{
	while (n--)
		wake_mask_wait(m, was, 1, 500);
	return m->hold.us;
}

static void few_rounds_are_not_treated(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(waits(&m, WAKE_MASK_AFTER - 1, WAKE_POLL_IDLE), 0);
		if (i % 3)
			assert_int_equal(
				waits(&m, 1, i % 3 > 1 ? WAKE_POLL_EVENTS : WAKE_POLL_WORK), 0);
		else
			wake_mask_break(&m);
	}
}

static void waits_grow_up_to_the_bound_and_an_event_ends_them(void **unused)
{
	static const uint32_t us[] = { 20, 40, 80, 160, 320, 500, 500 };
	struct wake_mask m = { 0 };

	(void)unused;
	waits(&m, WAKE_MASK_AFTER - 1, WAKE_POLL_IDLE);
	for (size_t i = 0; i < COUNT_OF(us); i++)
		assert_int_equal(waits(&m, 1, WAKE_POLL_IDLE), us[i]);
	assert_int_equal(waits(&m, 1, WAKE_POLL_EVENTS), 0);
	/* Only events have ended it: the next comes sooner. */
	assert_int_equal(waits(&m, WAKE_MASK_AFTER / 2 - 1, WAKE_POLL_IDLE), 0);
	assert_int_equal(waits(&m, 1, WAKE_POLL_IDLE), 500);
}

static void host_that_uses_writable_as_its_clock_is_left_alone_longer(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(waits(&m, (WAKE_MASK_AFTER << n) - 1, WAKE_POLL_IDLE), 0);
		assert_int_equal(waits(&m, 1, WAKE_POLL_IDLE), WAKE_STRETCH_US);
		assert_int_equal(waits(&m, 1, WAKE_POLL_WORK), 0);
	}
	/* Each treated run that an event ends takes half of that back. */
	for (unsigned n = 5; n--;) {
		waits(&m, WAKE_MASK_AFTER << (n + 1), WAKE_POLL_IDLE);
		assert_int_equal(waits(&m, 1, WAKE_POLL_EVENTS), 0);
		assert_int_equal(m.hold.need, WAKE_MASK_AFTER << n);
	}
	waits(&m, WAKE_MASK_AFTER, WAKE_POLL_IDLE);
	waits(&m, 1, WAKE_POLL_EVENTS);
	assert_int_equal(m.hold.need, WAKE_MASK_AFTER / 2);
}

/* Windows of waits; 1 when one of them withdrew. */
static int paid(struct wake_mask *m, unsigned windows, uint64_t cost_ns, uint64_t held_ns,
		int is_forced)
{
	int is_withdrawn = 0;

	for (unsigned i = 0; i < windows * WAKE_MASK_WINDOW; i++)
		is_withdrawn |= wake_mask_paid(m, cost_ns, held_ns, is_forced);
	return is_withdrawn;
}

static void rounds_of_many_events_count_as_more(void **unused)
{
	struct wake_mask m = { 0 };
	unsigned n = 0;

	(void)unused;
	do {
		wake_mask_wait(&m, WAKE_POLL_IDLE, 64, 500);
		n++;
	} while (!m.hold.us);
	assert_in_range(n, WAKE_MASK_AFTER / 30, WAKE_MASK_AFTER / 15);
}

static void run_that_an_event_ended_goes_on_as_long_as_it_was(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	waits(&m, WAKE_MASK_AFTER + 3, WAKE_POLL_IDLE);
	assert_int_equal(m.hold.us, 160);
	waits(&m, 1, WAKE_POLL_EVENTS);
	assert_int_equal(waits(&m, WAKE_MASK_AFTER / 2, WAKE_POLL_IDLE), 160);
	assert_int_equal(waits(&m, 1, WAKE_POLL_IDLE), 320);
	/* A doubt: from the beginning, and later. */
	waits(&m, 1, WAKE_POLL_WORK);
	assert_int_equal(waits(&m, WAKE_MASK_AFTER - 1, WAKE_POLL_IDLE), 0);
	assert_int_equal(waits(&m, 1, WAKE_POLL_IDLE), WAKE_STRETCH_US);
}

static void treatment_that_costs_too_much_is_withdrawn_for_long(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	waits(&m, WAKE_MASK_AFTER, WAKE_POLL_IDLE);
	assert_false(paid(&m, 100, 25000, 100000, 0));
	assert_int_equal(m.hold.us, WAKE_STRETCH_US);
	assert_true(paid(&m, 1, 25001, 100000, 0));
	assert_int_equal(waits(&m, WAKE_STRETCH_AFTER_MAX - 1, WAKE_POLL_IDLE), 0);
	assert_int_equal(waits(&m, 1, WAKE_POLL_IDLE), WAKE_STRETCH_US);
}

static void one_slow_wait_withdraws_nothing(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	for (unsigned i = 0; i < 10; i++) {
		assert_false(wake_mask_paid(&m, 4000000, 500000, 0));
		for (unsigned n = 1; n < WAKE_MASK_WINDOW; n++)
			assert_false(wake_mask_paid(&m, 4000, 500000, 0));
	}
}

static void events_that_always_cut_it_short_withdraw_it(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	assert_true(paid(&m, 1, 2000, 0, 0));
}

static void forced_is_never_withdrawn(void **unused)
{
	struct wake_mask m = { 0 };

	(void)unused;
	assert_false(paid(&m, 10, 1000000, 0, 1));
	assert_int_equal(waits(&m, WAKE_MASK_AFTER, WAKE_POLL_IDLE), WAKE_STRETCH_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registrations_that_a_mod_would_change_are_left_alone),
		cmocka_unit_test(few_rounds_are_not_treated),
		cmocka_unit_test(waits_grow_up_to_the_bound_and_an_event_ends_them),
		cmocka_unit_test(host_that_uses_writable_as_its_clock_is_left_alone_longer),
		cmocka_unit_test(rounds_of_many_events_count_as_more),
		cmocka_unit_test(run_that_an_event_ended_goes_on_as_long_as_it_was),
		cmocka_unit_test(treatment_that_costs_too_much_is_withdrawn_for_long),
		cmocka_unit_test(one_slow_wait_withdraws_nothing),
		cmocka_unit_test(events_that_always_cut_it_short_withdraw_it),
		cmocka_unit_test(forced_is_never_withdrawn),
	};

	return cmocka_run_group_tests_name("wake_mask", tests, NULL, NULL);
}
