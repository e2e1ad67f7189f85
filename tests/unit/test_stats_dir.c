/* SPDX-License-Identifier: MIT */
/* needs: shim/stats_dir.c */
#include "unit.h"

#include "shim/stats_dir.h"

static void check(unsigned n, const char *configured, const char *runtime, unsigned uid,
		  const char *expected)
{
	char path[STATS_DIR_MAX];
	int have = stats_dir_candidate(n, configured, runtime, uid, path);

	assert_int_equal(have, expected != NULL);
	if (expected)
		assert_string_equal(path, expected);
}

static void candidates_come_in_order(void **unused)
{
	(void)unused;
	check(0, NULL, NULL, 0, "/run/unspin");
	check(1, NULL, NULL, 0, "/dev/shm/unspin-0");
	check(2, NULL, NULL, 0, NULL);
	check(0, "", "/run/user/1000", 1000, "/run/user/1000/unspin");
	check(1, "", "/run/user/1000", 1000, "/dev/shm/unspin-1000");
	check(2, "", "/run/user/1000", 1000, NULL);
	check(0, NULL, "relative", 4294967295u, "/dev/shm/unspin-4294967295");
	check(0, "/x/y", "/run/user/0", 0, "/x/y");
	check(1, "/x/y", "/run/user/0", 0, NULL);
}

static void overlong_directories_are_cut_inside_the_buffer(void **unused)
{
	char name[2 * STATS_DIR_MAX], path[STATS_DIR_MAX], file[STATS_DIR_MAX + 16];

	(void)unused;
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(stats_dir_candidate(0, name, NULL, 0, path), 1);
	assert_int_equal(strlen(path), STATS_DIR_MAX - 1);
	stats_dir_file(path, 2147483647, file);
	assert_string_equal(file + strlen(file) - 11, "/2147483647");
}

static void only_numbers_are_file_names(void **unused)
{
	(void)unused;
	assert_int_equal(stats_dir_pid("1"), 1);
	assert_int_equal(stats_dir_pid("2147483647"), 2147483647);
	assert_int_equal(stats_dir_pid("2147483648"), 0);
	assert_int_equal(stats_dir_pid("99999999999999999999999"), 0);
	assert_int_equal(stats_dir_pid("0"), 0);
	assert_int_equal(stats_dir_pid("01"), 0);
	assert_int_equal(stats_dir_pid("-1"), 0);
	assert_int_equal(stats_dir_pid("12.tmp"), 0);
	assert_int_equal(stats_dir_pid(""), 0);
	assert_int_equal(stats_dir_pid("."), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(candidates_come_in_order),
		cmocka_unit_test(overlong_directories_are_cut_inside_the_buffer),
		cmocka_unit_test(only_numbers_are_file_names),
	};

	return cmocka_run_group_tests_name("stats_dir", tests, NULL, NULL);
}
