/* SPDX-License-Identifier: MIT */
/* needs: tools/derive.c tools/read.c shim/config.c */
#include "unit.h"

#include "stats_sample.h"
#include "tools/derive.h"

static void median_ignores_sizes_not_known_yet(void **unused)
{
	struct socket_row row = { .response_bytes = { 0, 300, 0, 100, 200 } };

	(void)unused;
	assert_int_equal(derive_response_p50(&row), 200);
}

static void median_of_an_even_count_is_the_smaller_middle_one(void **unused)
{
	struct socket_row row = { .response_bytes = { 8, 7, 6, 5, 4, 3, 2, UINT32_MAX } };

	(void)unused;
	assert_int_equal(derive_response_p50(&row), 5);
}

static void median_of_nothing_is_zero(void **unused)
{
	struct socket_row row = { .writes = 5 };

	(void)unused;
	assert_int_equal(derive_response_p50(&row), 0);
}

static void totals_add_living_threads_and_departed_ones(void **unused)
{
	struct sample sample = sample_make();
	uint64_t total[TOTAL_COUNT];
	struct stats_view view;

	(void)unused;
	sample_thread(&sample, 0)->total[TOTAL_WRITES] = 1;
	sample_thread(&sample, 2)->total[TOTAL_WRITES] = 10;
	sample_thread(&sample, 1)->total[TOTAL_WRITES] = 100;
	sample.threads[1].state = ROW_FREE; /* given back: its share is in departed[] */
	sample.header->departed[TOTAL_WRITES] = 1000;
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	derive_totals(&view, total);
	assert_int_equal(total[TOTAL_WRITES], 1011);
	assert_int_equal(total[TOTAL_READS], 0);
	free(sample.memory);
}

static void times_before_and_after_the_start_become_wall_clock(void **unused)
{
	struct stats_view view = { .header = { .started_ns = 5000, .started_monotonic_ns = 300 } };

	(void)unused;
	assert_int_equal(derive_wall_ns(&view, 400), 5100);
	assert_int_equal(derive_wall_ns(&view, 200), 4900);
	assert_int_equal(derive_wall_ns(&view, 0), 0);
}

static void percent_is_rounded_down_and_survives_zero(void **unused)
{
	(void)unused;
	assert_int_equal(derive_percent(1, 0), 0);
	assert_int_equal(derive_percent(999, 1000), 99);
	assert_int_equal(derive_percent(1000, 1000), 100);
	assert_int_equal(derive_percent(UINT64_MAX, UINT64_MAX), 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_ignores_sizes_not_known_yet),
		cmocka_unit_test(median_of_an_even_count_is_the_smaller_middle_one),
		cmocka_unit_test(median_of_nothing_is_zero),
		cmocka_unit_test(totals_add_living_threads_and_departed_ones),
		cmocka_unit_test(times_before_and_after_the_start_become_wall_clock),
		cmocka_unit_test(percent_is_rounded_down_and_survives_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
