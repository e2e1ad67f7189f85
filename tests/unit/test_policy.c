/* SPDX-License-Identifier: MIT */
/* needs: policy/policy.c policy/safety.c */
#include "unit.h"

#include "policy/policy.h"
#include "policy/safety.h"

#define KB 1024ull
#define MB (1024 * KB)

static struct policy_limits limits(void)
{
	return (struct policy_limits){
		.sndbuf_max = 16 * MB,
		.kernel_max = 8 * MB,
		.autotune_max = 4 * MB,
		.budget_left = 256 * MB,
		.can_unlock = 1,
		.may_override = 1,
	};
}

/* A 1 MB write of which the first 46 KB fit and are all in flight: the buffer is the cause. */
static struct policy_facts buffer_limited(void)
{
	return (struct policy_facts){
		.sndbuf = 46 * KB, .queued = 46 * KB, .unsent = 0, .remaining = 954 * KB,
		.busy_us = 5000, .tries = 1, .is_tcp = 1,
	};
}

/* The same, but most of what is queued waits for the reader's window. */
static struct policy_facts receiver_limited(void)
{
	struct policy_facts f = buffer_limited();

	f.unsent = 40 * KB;
	f.rwnd_limited_us = 4000;
	return f;
}

static struct policy_verdict decide(struct policy_facts f, struct policy_limits l)
{
	return policy_stall(&f, &l);
}

static void buffer_limited_stall_grows_to_hold_the_response(void **unused)
{
	struct policy_verdict v = decide(buffer_limited(), limits());

	(void)unused;
	assert_int_equal(v.strategy, POLICY_DO_GROW);
	assert_int_equal(v.reason, POLICY_GREW_BUFFER_LIMITED);
	assert_true(v.target_bytes > 1000 * KB);
	assert_true(v.target_bytes < 2 * MB);
}

static void slow_reader_of_a_yielding_host_gets_nothing(void **unused)
{
	struct policy_verdict v = decide(receiver_limited(), limits());

	(void)unused;
	assert_int_equal(v.strategy, POLICY_DO_NONE);
	assert_int_equal(v.reason, POLICY_RECEIVER_LIMITED);
}

static void full_network_window_of_a_yielding_host_gets_nothing(void **unused)
{
	struct policy_facts f = receiver_limited();

	(void)unused;
	f.rwnd_limited_us = 0;
	assert_int_equal(decide(f, limits()).reason, POLICY_NETWORK_LIMITED);
	f.busy_us = 0;
	assert_int_equal(decide(f, limits()).reason, POLICY_UNCLEAR);
}

static void spinning_host_gets_a_buffer_whatever_the_cause(void **unused)
{
	struct policy_facts f = receiver_limited();

	(void)unused;
	f.tries = POLICY_SPIN_TRIES - 1;
	assert_int_equal(decide(f, limits()).strategy, POLICY_DO_NONE);
	f.tries = POLICY_SPIN_TRIES;
	assert_int_equal(decide(f, limits()).strategy, POLICY_DO_GROW);
	assert_int_equal(decide(f, limits()).reason, POLICY_GREW_SPIN);
}

static void kernels_own_clock_proves_the_buffer_too(void **unused)
{
	struct policy_facts f = receiver_limited();

	(void)unused;
	f.sndbuf_limited_us = 1;
	assert_int_equal(decide(f, limits()).reason, POLICY_GREW_BUFFER_LIMITED);
}

static void forced_growth_asks_for_no_cause_but_keeps_the_limits(void **unused)
{
	struct policy_limits l = limits();
	struct policy_facts f = receiver_limited();

	(void)unused;
	l.is_forced = 1;
	assert_int_equal(decide(f, l).reason, POLICY_GREW_FORCED);
	f.has_lowat = 1;
	assert_int_equal(decide(f, l).reason, POLICY_HOST_LOWAT);
}

static void unknown_length_doubles_the_buffer(void **unused)
{
	struct policy_facts f = buffer_limited();

	(void)unused;
	f.sndbuf = f.queued = 400 * KB;
	f.remaining = 1 * KB;
	assert_int_equal(decide(f, limits()).target_bytes, 800 * KB);
}

static void growth_ends_at_the_smaller_of_both_maxima(void **unused)
{
	struct policy_facts f = buffer_limited();
	struct policy_limits l = limits();

	(void)unused;
	f.remaining = 100 * MB;
	assert_int_equal(decide(f, l).target_bytes, 8 * MB);
	l.kernel_max = UINT64_MAX;
	assert_int_equal(decide(f, l).target_bytes, 16 * MB);
	f.sndbuf = 15 * MB; /* less than an eighth to gain */
	assert_int_equal(decide(f, l).reason, POLICY_AT_MAXIMUM);
	f.sndbuf = 20 * MB; /* larger than our maximum already: never shrunk */
	assert_int_equal(decide(f, l).reason, POLICY_AT_MAXIMUM);
}

static void without_unlock_never_below_what_tuning_would_reach(void **unused)
{
	struct policy_facts f = buffer_limited();
	struct policy_limits l = limits();

	(void)unused;
	l.can_unlock = 0;
	assert_int_equal(decide(f, l).target_bytes, 4 * MB); /* not the 1.3 MB it needs */
	l.kernel_max = 425984; /* wmem_max of most machines, doubled */
	assert_int_equal(decide(f, l).reason, POLICY_CANNOT_UNLOCK);
	f.is_host_fixed = 1; /* no tuning to lose: any raise is a gain */
	assert_int_equal(decide(f, l).target_bytes, 425984);
}

static void with_unlock_a_small_kernel_maximum_is_still_a_gain(void **unused)
{
	struct policy_limits l = limits();

	(void)unused;
	l.kernel_max = 425984;
	assert_int_equal(decide(buffer_limited(), l).target_bytes, 425984);
}

static void size_the_host_fixed_is_raised_only_with_override(void **unused)
{
	struct policy_facts f = buffer_limited();
	struct policy_limits l = limits();

	(void)unused;
	f.is_host_fixed = 1;
	assert_int_equal(decide(f, l).strategy, POLICY_DO_GROW);
	l.may_override = 0;
	assert_int_equal(decide(f, l).reason, POLICY_HOST_FIXED);
}

static void spent_budget_stops_growth_and_says_so(void **unused)
{
	struct policy_limits l = limits();

	(void)unused;
	l.budget_left = 0;
	assert_int_equal(decide(buffer_limited(), l).reason, POLICY_NO_BUDGET);
	l.budget_left = 800 * KB; /* its share is far less than half of what is wanted */
	assert_int_equal(decide(buffer_limited(), l).reason, POLICY_NO_BUDGET);
	l.budget_left = 8 * 900 * KB;
	assert_int_equal(decide(buffer_limited(), l).target_bytes, 46 * KB + 900 * KB);
}

static void observing_and_foreign_sockets_are_left_alone(void **unused)
{
	struct policy_facts f = buffer_limited();
	struct policy_limits l = limits();

	(void)unused;
	l.is_observing = 1;
	f.tries = 1000;
	assert_int_equal(decide(f, l).reason, POLICY_OBSERVING);
	f.is_tcp = 0;
	assert_int_equal(decide(f, l).reason, POLICY_NOT_GROWABLE);
}

static void write_that_fits_needs_no_growth(void **unused)
{
	struct policy_facts f = { .sndbuf = 90 * KB, .queued = 0, .remaining = 80 * KB, .is_tcp = 1 };

	(void)unused;
	assert_true(policy_fits(&f));
	f.remaining++;
	assert_false(policy_fits(&f)); /* the packets' overhead is an eighth */
	f.remaining = 40 * KB;
	f.queued = 46 * KB;
	assert_false(policy_fits(&f));
	f.remaining = policy_room(&f);
	f.queued = 0;
	assert_true(policy_fits(&f) || f.remaining > 80 * KB);
}

/* A reader with a 4 KB window: 32 KB of buffer carry 14 KB. */
static void overhead_is_taken_from_a_full_queue_or_from_the_class(void **unused)
{
	struct policy_facts f = { .sndbuf = 32 * KB, .queued = 32 * KB, .payload = 16 * KB,
				  .remaining = 86 * KB, .tries = 1, .is_tcp = 1 };
	struct policy_limits l = limits();

	(void)unused;
	assert_int_equal(policy_overhead(&f), 32);
	assert_true(policy_ahead(&f, &l, 0).target_bytes > 32 * KB + 2 * 86 * KB);
	f.payload = 1000; /* too little to tell */
	assert_int_equal(policy_overhead(&f), 20);
	f.overhead = 40;
	assert_int_equal(policy_overhead(&f), 40);
	f.payload = 9 * KB;
	f.queued = 1 * MB; /* absurd: bounded */
	assert_int_equal(policy_overhead(&f), 64);
	f = (struct policy_facts){ .sndbuf = 160 * KB, .remaining = 100 * KB, .overhead = 32 };
	assert_false(policy_fits(&f));
	assert_int_equal(policy_room(&f), 80 * KB);
}

static void growth_ahead_asks_for_no_cause_but_keeps_the_rules(void **unused)
{
	struct policy_facts f = receiver_limited();
	struct policy_limits l = limits();
	struct policy_verdict v = policy_ahead(&f, &l, 0);

	(void)unused;
	assert_int_equal(v.strategy, POLICY_DO_GROW);
	assert_int_equal(v.reason, POLICY_GREW_AHEAD_LENGTH);
	assert_true(v.target_bytes > f.queued + f.remaining);
	assert_int_equal(policy_ahead(&f, &l, 1).reason, POLICY_GREW_AHEAD_CLASS);
	f.is_host_fixed = 1;
	l.may_override = 0;
	assert_int_equal(policy_ahead(&f, &l, 0).reason, POLICY_HOST_FIXED);
	f.is_host_fixed = 0;
	f.has_lowat = 1;
	assert_int_equal(policy_ahead(&f, &l, 0).reason, POLICY_HOST_LOWAT);
	f.has_lowat = 0;
	l.budget_left = 0;
	assert_int_equal(policy_ahead(&f, &l, 0).reason, POLICY_NO_BUDGET);
	l = limits();
	l.is_observing = 1;
	assert_int_equal(policy_ahead(&f, &l, 0).reason, POLICY_OBSERVING);
}

/* 100 KB for a near reader with a window of 92 KB. */
static struct policy_facts just_above_the_window(void)
{
	return (struct policy_facts){
		.sndbuf = 32 * KB, .remaining = 100 * KB, .peer_window = 92 * KB, .min_rtt_us = 5,
		.segment = 1448, .is_tcp = 1,
	};
}

static int may_open(struct policy_facts f, uint32_t turns)
{
	return policy_window_may_open(&f, turns);
}

static void window_a_little_too_small_may_open(void **unused)
{
	struct policy_facts f = just_above_the_window();

	(void)unused;
	assert_true(may_open(f, 0));
	f.remaining = f.peer_window;
	assert_false(may_open(f, 0)); /* it is open */
	f.remaining++;
	assert_true(may_open(f, 0));
	f.remaining = 2 * f.peer_window;
	assert_true(may_open(f, 0));
	f.remaining++;
	assert_false(may_open(f, 0)); /* it opens either way, or never: a reader with 4 KB */
}

static void window_is_waited_for_near_by_and_not_for_ever(void **unused)
{
	struct policy_facts f = just_above_the_window();

	(void)unused;
	assert_true(may_open(f, POLICY_OPENING_TURNS - 1));
	assert_false(may_open(f, POLICY_OPENING_TURNS));
	f.min_rtt_us = POLICY_NEAR_US + 1;
	assert_false(may_open(f, 0));
	f.min_rtt_us = UINT32_MAX; /* the kernel's word for none yet */
	assert_false(may_open(f, 0));
	f.min_rtt_us = 0;
	assert_false(may_open(f, 0)); /* not known */
	f = just_above_the_window();
	f.segment = f.peer_window / POLICY_OPENING_SEGMENTS;
	assert_true(may_open(f, 0));
	f.segment++;
	assert_false(may_open(f, 0)); /* the loopback device's */
	f = just_above_the_window();
	f.peer_window = 0;
	assert_false(may_open(f, 0)); /* not known, or shut */
	f = just_above_the_window();
	f.is_tcp = 0;
	assert_false(may_open(f, 0));
}

static void looks_grow_rarer_with_every_stall(void **unused)
{
	unsigned looks = 0;

	(void)unused;
	for (uint64_t stalls = 1; stalls <= 1024; stalls++)
		looks += policy_wants_look(stalls, 1);
	assert_int_equal(looks, 11); /* 1, 2, 4 ... 1024 */
	looks = 0;
	for (uint32_t tries = 2; tries <= 1024; tries++)
		looks += policy_wants_look(1, tries);
	assert_int_equal(looks, 11); /* 2, 3 (the spin threshold), 4 ... 1024 */
	assert_true(policy_wants_look(7, POLICY_SPIN_TRIES));
}

static void grant_is_all_part_or_nothing(void **unused)
{
	(void)unused;
	assert_int_equal(safety_grant(100, 300, 200 * SAFETY_SHARE), 300);
	assert_int_equal(safety_grant(100, 300, 150 * SAFETY_SHARE), 250);
	assert_int_equal(safety_grant(100, 300, 99 * SAFETY_SHARE), 0);
	/* where a large demand is refused a small one still is not */
	assert_int_equal(safety_grant(100, 140, 99 * SAFETY_SHARE), 140);
	assert_int_equal(safety_grant(100, 300, 0), 0);
	assert_int_equal(safety_grant(300, 300, 0), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_limited_stall_grows_to_hold_the_response),
		cmocka_unit_test(slow_reader_of_a_yielding_host_gets_nothing),
		cmocka_unit_test(full_network_window_of_a_yielding_host_gets_nothing),
		cmocka_unit_test(spinning_host_gets_a_buffer_whatever_the_cause),
		cmocka_unit_test(kernels_own_clock_proves_the_buffer_too),
		cmocka_unit_test(forced_growth_asks_for_no_cause_but_keeps_the_limits),
		cmocka_unit_test(unknown_length_doubles_the_buffer),
		cmocka_unit_test(growth_ends_at_the_smaller_of_both_maxima),
		cmocka_unit_test(without_unlock_never_below_what_tuning_would_reach),
		cmocka_unit_test(with_unlock_a_small_kernel_maximum_is_still_a_gain),
		cmocka_unit_test(size_the_host_fixed_is_raised_only_with_override),
		cmocka_unit_test(spent_budget_stops_growth_and_says_so),
		cmocka_unit_test(observing_and_foreign_sockets_are_left_alone),
		cmocka_unit_test(write_that_fits_needs_no_growth),
		cmocka_unit_test(overhead_is_taken_from_a_full_queue_or_from_the_class),
		cmocka_unit_test(growth_ahead_asks_for_no_cause_but_keeps_the_rules),
		cmocka_unit_test(window_a_little_too_small_may_open),
		cmocka_unit_test(window_is_waited_for_near_by_and_not_for_ever),
		cmocka_unit_test(looks_grow_rarer_with_every_stall),
		cmocka_unit_test(grant_is_all_part_or_nothing),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
