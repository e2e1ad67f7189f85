/* SPDX-License-Identifier: MIT */
/* needs: probes/thin.c */
#include "unit.h"

#include "probes/thin.h"

#define WAITS 256u

static struct thin_facts from;

/* A window of 256 waits later. */
static struct thin_facts later(uint64_t wait_ns, uint64_t sleeps, uint64_t preemptions)
{
	return (struct thin_facts){ from.now_ns + WAITS * wait_ns, from.waits + WAITS,
				    from.sleeps + sleeps, from.preemptions + preemptions, 1 };
}

static int is_saturated(uint64_t wait_ns, uint64_t sleeps, uint64_t preemptions)
{
	struct thin_facts to = later(wait_ns, sleeps, preemptions);

	return thin_is_saturated(&from, &to);
}

static int make(void **unused)
{
	(void)unused;
	from = (struct thin_facts){ 1000000, 77, 5000, 300, 1 };
	return 0;
}

static void few_is_one_to_three(void **unused)
{
	(void)unused;
	assert_false(thin_is_few(-1));
	assert_false(thin_is_few(0));
	assert_true(thin_is_few(1));
	assert_true(thin_is_few(THIN_EVENTS - 1));
	assert_false(thin_is_few(THIN_EVENTS));
	assert_false(thin_is_few(INT32_MAX));
}

static void a_window_has_its_waits(void **unused)
{
	(void)unused;
	assert_false(thin_is_over(&from, from.waits));
	assert_false(thin_is_over(&from, from.waits + THIN_WINDOW - 1));
	assert_true(thin_is_over(&from, from.waits + THIN_WINDOW));
}

static void a_thread_that_never_sleeps_is_saturated(void **unused)
{
	(void)unused;
	assert_true(is_saturated(2000, 0, 0));
	assert_true(is_saturated(2000, WAITS / THIN_AWAKE, 0));
	assert_false(is_saturated(2000, WAITS / THIN_AWAKE + 1, 0));
}

static void one_that_sleeps_is_when_others_want_its_processor(void **unused)
{
	(void)unused;
	assert_false(is_saturated(2000, WAITS, 0));
	assert_false(is_saturated(2000, WAITS, WAITS / THIN_PREEMPTED - 1));
	assert_true(is_saturated(2000, WAITS, WAITS / THIN_PREEMPTED));
}

static void rare_waits_save_nothing(void **unused)
{
	(void)unused;
	assert_true(is_saturated(THIN_BUSY_NS - 1, 0, 100));
	assert_false(is_saturated(THIN_BUSY_NS, 0, 100));
}

static void what_is_not_known_is_not_claimed(void **unused)
{
	struct thin_facts to = later(2000, 0, 100);

	(void)unused;
	assert_true(thin_is_saturated(&from, &to));
	to.has_switches = 0;
	assert_false(thin_is_saturated(&from, &to));
	to.has_switches = 1;
	from.has_switches = 0;
	assert_false(thin_is_saturated(&from, &to));
	/* A clock that stood still or ran back. */
	from.has_switches = 1;
	to.now_ns = from.now_ns - 1;
	assert_false(thin_is_saturated(&from, &to));
	to = from;
	assert_false(thin_is_saturated(&from, &to));
}

#define FRESH(function) cmocka_unit_test_setup(function, make)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(few_is_one_to_three),
		FRESH(a_window_has_its_waits),
		FRESH(a_thread_that_never_sleeps_is_saturated),
		FRESH(one_that_sleeps_is_when_others_want_its_processor),
		FRESH(rare_waits_save_nothing),
		FRESH(what_is_not_known_is_not_claimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
