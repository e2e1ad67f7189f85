/* SPDX-License-Identifier: MIT */
/* needs: examples/reactor/class_map.c */
#include "unit.h"

#include <stdlib.h>

#include "examples/reactor/class_map.h"

static void class_is_a_quarter_of_a_power_of_two(void **unused)
{
	(void)unused;
	assert_int_equal(class_map_find(0), class_map_find(4));
	assert_int_equal(class_map_find(1024), class_map_find(1279));
	assert_int_equal(class_map_find(1280), class_map_find(1024) + 1);
	assert_int_equal(class_map_find(2048), class_map_find(1024) + 4);
	assert_int_equal(class_map_find(SIZE_MAX), CLASS_MAP_CLASSES - 1);
}

static void classes_never_fall_as_sizes_rise(void **unused)
{
	unsigned int last = 0;

	(void)unused;
	for (size_t bytes = 0; bytes < 100000; bytes++) {
		unsigned int at = class_map_find(bytes);

		assert_in_range(at, last, last + 1);
		last = at;
	}
}

static void unknown_class_learns_without_a_correction(void **unused)
{
	struct class_map map = { 0 };

	(void)unused;
	assert_int_equal(class_map_path(&map, 7), CLASS_UNKNOWN);
	assert_false(class_map_learn(&map, 7, false));
	assert_int_equal(class_map_path(&map, 7), CLASS_LIGHT);
	assert_false(class_map_learn(&map, 8, true));
	assert_int_equal(class_map_path(&map, 8), CLASS_HEAVY);
	assert_int_equal(class_map_path(&map, 6), CLASS_UNKNOWN);
}

static void light_class_that_spins_once_is_corrected(void **unused)
{
	struct class_map map = { 0 };

	(void)unused;
	class_map_learn(&map, 7, false);
	assert_true(class_map_learn(&map, 7, true));
	assert_int_equal(class_map_path(&map, 7), CLASS_HEAVY);
	assert_int_equal(map.entries[7].to_heavy, 1);
	assert_false(class_map_learn(&map, 7, true)); /* that was known */
	assert_int_equal(map.entries[7].to_heavy, 1);
}

static void heavy_class_is_corrected_after_calm_ones_in_a_row(void **unused)
{
	struct class_map map = { 0 };

	(void)unused;
	class_map_learn(&map, 7, true);
	for (int i = 0; i < CLASS_MAP_CALM - 1; i++)
		assert_false(class_map_learn(&map, 7, false));
	class_map_learn(&map, 7, true); /* one short: begins anew */
	for (int i = 0; i < CLASS_MAP_CALM - 1; i++)
		assert_false(class_map_learn(&map, 7, false));
	assert_int_equal(class_map_path(&map, 7), CLASS_HEAVY);
	assert_true(class_map_learn(&map, 7, false));
	assert_int_equal(class_map_path(&map, 7), CLASS_LIGHT);
	assert_int_equal(map.entries[7].to_light, 1);
}

static void print_shows_known_classes_only(void **unused)
{
	struct class_map map = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	(void)unused;
	class_map_learn(&map, class_map_find(1024), false);
	class_map_print(&map, out);
	fclose(out);
	assert_string_equal(text, "[{\"from_bytes\":1024,\"to_bytes\":1279,\"path\":\"light\","
				  "\"to_heavy\":0,\"to_light\":0}]");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(class_is_a_quarter_of_a_power_of_two),
		cmocka_unit_test(classes_never_fall_as_sizes_rise),
		cmocka_unit_test(unknown_class_learns_without_a_correction),
		cmocka_unit_test(light_class_that_spins_once_is_corrected),
		cmocka_unit_test(heavy_class_is_corrected_after_calm_ones_in_a_row),
		cmocka_unit_test(print_shows_known_classes_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
