/* SPDX-License-Identifier: MIT */
/* needs: policy/class.c */
#include "unit.h"

#include "policy/class.h"

static void bucket_is_the_power_of_two_below(void **unused)
{
	(void)unused;
	assert_int_equal(class_bucket(0), 0);
	assert_int_equal(class_bucket(1), 0);
	assert_int_equal(class_bucket(1023), 9);
	assert_int_equal(class_bucket(1024), 10);
	assert_int_equal(class_bucket(UINT64_MAX), 63);
}

static void hash_stays_in_the_table_and_tells_keys_apart(void **unused)
{
	unsigned same = 0;

	(void)unused;
	for (uint32_t i = 0; i < 1000; i++) {
		struct class_key a = { 0x7f0000001000ull + i * 16, 8080, 12, 0 };
		struct class_key b = a;

		b.bucket++;
		assert_true(class_hash(&a, 256) < 256);
		same += class_hash(&a, 256) == class_hash(&b, 256);
	}
	assert_true(same < 50); /* observed: 0; by chance alone 4 in 1000 */
}

static void need_rises_at_once_and_falls_slowly(void **unused)
{
	struct class_memory m = { 0 };
	int responses = 0;

	(void)unused;
	class_response(&m, 1000000);
	assert_int_equal(m.need_bytes, 1000000);
	class_response(&m, 10000);
	assert_true(m.need_bytes > 850000); /* one small response forgets nothing */
	while (m.need_bytes > 20000 && responses < 1000) {
		class_response(&m, 10000);
		responses++;
	}
	assert_in_range(responses, 20, 50);
}

static void spinner_is_blocked_after_three_episodes(void **unused)
{
	struct class_memory m = { 0 };

	(void)unused;
	class_spun(&m);
	class_spun(&m);
	assert_int_equal(class_treatment(&m, 1), CLASS_LEAVE);
	class_spun(&m);
	assert_int_equal(class_treatment(&m, 1), CLASS_BLOCK);
	/* The class spins, but this thread has been seen to yield: never. */
	assert_int_equal(class_treatment(&m, 0), CLASS_LEAVE);
}

static void one_yield_ends_blocking_at_once(void **unused)
{
	struct class_memory m = { 0 };

	(void)unused;
	for (int i = 0; i < 100; i++)
		class_spun(&m);
	assert_int_equal(class_treatment(&m, 1), CLASS_BLOCK);
	class_yielded(&m);
	assert_int_equal(class_treatment(&m, 1), CLASS_LEAVE);
	class_spun(&m);
	assert_int_equal(class_treatment(&m, 1), CLASS_LEAVE); /* three in a row again */
}

static void yielder_spins_only_where_draining_is_cheaper_than_the_trip(void **unused)
{
	struct class_memory m = { 0 };

	(void)unused;
	for (int i = 0; i < CLASS_BELIEVE; i++)
		class_yielded(&m);
	assert_int_equal(class_treatment(&m, 0), CLASS_LEAVE); /* nothing measured yet */
	class_tripped(&m, 8000);
	class_drained(&m, 3000);
	assert_int_equal(class_treatment(&m, 0), CLASS_SPIN);
	for (int i = 0; i < 40; i++)
		class_drained(&m, 5000000); /* the network got slow */
	assert_int_equal(class_treatment(&m, 0), CLASS_LEAVE);
}

static void every_sixty_fourth_stall_is_left_to_the_host(void **unused)
{
	struct class_memory m = { 0 };
	int left = 0;

	(void)unused;
	for (int i = 0; i < 16; i++)
		class_spun(&m);
	for (int i = 0; i < 640; i++)
		left += class_treatment(&m, 1) == CLASS_LEAVE;
	assert_int_equal(left, 10);
}

static void means_follow_without_overflow(void **unused)
{
	struct class_memory m = { 0 };

	(void)unused;
	class_drained(&m, UINT64_MAX / 2);
	for (int i = 0; i < 1000; i++)
		class_drained(&m, 1000);
	assert_in_range(m.drain_ns, 990, 1010);
}

static void overhead_rises_at_once_and_falls_slowly(void **unused)
{
	struct class_memory m = { 0 };

	(void)unused;
	class_overhead(&m, 36);
	assert_int_equal(m.overhead, 36);
	class_overhead(&m, 20);
	assert_int_equal(m.overhead, 34);
	for (int i = 0; i < 40; i++)
		class_overhead(&m, 20);
	assert_int_equal(m.overhead, 20);
}

static void connections_are_believed_kept_until_most_are_not(void **unused)
{
	struct class_memory m = { 0 };

	(void)unused;
	for (int i = 0; i < CLASS_TRUSTED; i++) {
		assert_true(class_keeps_connections(&m));
		class_opening(&m, 1);
	}
	assert_false(class_keeps_connections(&m)); /* none came back */
	for (int i = 0; i < CLASS_TRUSTED / 2; i++) {
		assert_false(class_keeps_connections(&m));
		class_opening(&m, 2);
		class_opening(&m, 3); /* the same connection: counted once */
	}
	assert_true(class_keeps_connections(&m));
	m.first_turns = UINT32_MAX / 2; /* long-lived servers: no overflow */
	m.later_turns = UINT32_MAX / 2;
	class_opening(&m, 1);
	assert_true(class_keeps_connections(&m));
	assert_true(m.first_turns < UINT32_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_is_the_power_of_two_below),
		cmocka_unit_test(hash_stays_in_the_table_and_tells_keys_apart),
		cmocka_unit_test(need_rises_at_once_and_falls_slowly),
		cmocka_unit_test(spinner_is_blocked_after_three_episodes),
		cmocka_unit_test(one_yield_ends_blocking_at_once),
		cmocka_unit_test(yielder_spins_only_where_draining_is_cheaper_than_the_trip),
		cmocka_unit_test(every_sixty_fourth_stall_is_left_to_the_host),
		cmocka_unit_test(means_follow_without_overflow),
		cmocka_unit_test(connections_are_believed_kept_until_most_are_not),
		cmocka_unit_test(overhead_rises_at_once_and_falls_slowly),
	};

	return cmocka_run_group_tests_name("class", tests, NULL, NULL);
}
