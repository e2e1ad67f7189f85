/* SPDX-License-Identifier: MIT */
/* needs: examples/reactor/path.c */
#include "unit.h"

#include <errno.h>

#include "examples/reactor/path.h"

struct row {
	const char *target, *path; /* NULL: refused */
};

static const struct row good_rows[] = {
	{ "/a", "a" },
	{ "/a/b.txt", "a/b.txt" },
	{ "/a?b/../c", "a" },
	{ "/", "index.html" },
	{ "/?x", "index.html" },
	{ "/a/", "a/index.html" },
	{ "/%61%2ehtml", "a.html" },
	{ "/a%20b", "a b" },
	{ "/...", "..." },
	{ "/.hidden", ".hidden" },
	{ "/a..b", "a..b" },
	{ "/%C3%a4", "\xc3\xa4" },
	{ "/%2525", "%25" }, /* decoded once */
};

static const struct row bad_rows[] = {
	{ "", NULL },	    { "a", NULL },	 { "//", NULL },      { "//a", NULL },
	{ "/a//b", NULL },  { "/a//", NULL },	 { "/.", NULL },      { "/..", NULL },
	{ "/../a", NULL },  { "/a/..", NULL },	 { "/a/../b", NULL }, { "/a/./b", NULL },
	{ "/./", NULL },    { "/../", NULL },	 { "/%2e%2e", NULL }, { "/%2E./a", NULL },
	{ "/a%2fb", NULL }, { "/..%2fb", NULL }, { "/%00", NULL },    { "/a%00.html", NULL },
	{ "/%", NULL },	    { "/%4", NULL },	 { "/%zz", NULL },    { "/%4g", NULL },
	{ "/%0a", NULL },   { "/%7f", NULL },	 { "/a%", NULL },     { "/%-1", NULL },
	{ "?", NULL },
};

static void target_that_names_a_file_becomes_its_path(void **unused)
{
	char path[PATH_MAX_BYTES];

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(good_rows); i++) {
		assert_int_equal(path_from_target(good_rows[i].target, path), 0);
		assert_string_equal(path, good_rows[i].path);
	}
}

static void target_with_two_meanings_is_refused_and_writes_nothing(void **unused)
{
	char path[PATH_MAX_BYTES] = "untouched";

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(bad_rows); i++) {
		assert_int_equal(path_from_target(bad_rows[i].target, path), -EINVAL);
		assert_string_equal(path, "untouched");
	}
}

static void longest_target_fits_with_the_index(void **unused)
{
	char target[HTTP_TARGET_MAX_BYTES + 2], path[PATH_MAX_BYTES];

	(void)unused;
	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[HTTP_TARGET_MAX_BYTES - 1] = '/';
	target[HTTP_TARGET_MAX_BYTES] = '\0';
	assert_int_equal(path_from_target(target, path), 0);
	assert_int_equal(strlen(path), HTTP_TARGET_MAX_BYTES - 1 + strlen(PATH_INDEX));
	target[HTTP_TARGET_MAX_BYTES] = 'a';
	target[HTTP_TARGET_MAX_BYTES + 1] = '\0';
	assert_int_equal(path_from_target(target, path), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_that_names_a_file_becomes_its_path),
		cmocka_unit_test(target_with_two_meanings_is_refused_and_writes_nothing),
		cmocka_unit_test(longest_target_fits_with_the_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
