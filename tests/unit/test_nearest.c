/* SPDX-License-Identifier: MIT */
/* needs: tools/nearest.c tools/settings.c shim/config.c */
#include "unit.h"

#include "tools/nearest.h"
#include "tools/settings.h"

static void distance_counts_each_kind_of_slip_once(void **unused)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },	       { "grow", "grow", 0 }, { "grow", "", 4 },
		{ "grow", "grwo", 1 }, { "grow", "row", 1 },  { "grow", "growl", 1 },
		{ "grow", "glow", 1 }, { "GROW", "grow", 0 }, { "kitten", "sitting", 3 },
		{ "ca", "abc", 3 }, /* optimal string alignment: a swapped pair is not edited again
				     */
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(nearest_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(nearest_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void distance_of_very_long_names_is_bounded(void **unused)
{
	char a[1000], b[1000];

	(void)unused;
	memset(a, 'a', sizeof(a) - 1);
	memset(b, 'b', sizeof(b) - 1);
	a[sizeof(a) - 1] = b[sizeof(b) - 1] = '\0';
	assert_int_equal(nearest_distance(a, b), 63);
	assert_int_equal(nearest_distance(a, ""), 63);
}

static void index_is_that_of_the_closest_and_first(void **unused)
{
	static const char *const names[] = { "stat", "run", "ran" };

	(void)unused;
	assert_int_equal(nearest_index("rum", names, 3), 1);
	assert_int_equal(nearest_index("rxn", names, 3), 1);
	assert_int_equal(nearest_index("stats", names, 3), 0);
	assert_int_equal(nearest_index("x", names, 0), -1);
}

static void mistyped_variables_find_their_option(void **unused)
{
	(void)unused;
	assert_string_equal(settings_nearest_env("UNSPIN_WRTE"), "UNSPIN_WRITE");
	assert_string_equal(settings_nearest_env("UNSPIN_SNDBUFMAX"), "UNSPIN_SNDBUF_MAX");
	assert_string_equal(settings_nearest_env("unspin_mode"), "UNSPIN_MODE");
	assert_string_equal(settings_nearest_key("overide"), "override");
}

static void every_option_is_its_own_nearest_name(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < CONFIG_COUNT; i++) {
		assert_string_equal(settings_nearest_key(config_rows[i].key), config_rows[i].key);
		assert_string_equal(settings_nearest_env(config_rows[i].env), config_rows[i].env);
	}
}

/* What we call valid must be valid to the library's parser, too: the words and the default. */
static void allowed_words_and_defaults_are_accepted(void **unused)
{
	char allowed[SETTINGS_TEXT_MAX], value[SETTINGS_TEXT_MAX], *rest = NULL;
	struct config config;

	(void)unused;
	config_defaults(&config);
	for (unsigned i = 0; i < CONFIG_COUNT; i++) {
		enum config_option option = (enum config_option)i;

		settings_value(option, config_rows[i].def, "", value);
		assert_int_equal(config_set(&config, option, value), PROBLEM_NONE);
		settings_allowed(option, allowed);
		if (config_rows[i].kind == CONFIG_KIND_PATH ||
		    config_rows[i].kind == CONFIG_KIND_UINT)
			continue;
		for (char *w = strtok_r(allowed, "|", &rest); w; w = strtok_r(NULL, "|", &rest))
			assert_int_equal(config_set(&config, option, w), PROBLEM_NONE);
	}
}

static void complaints_name_what_would_be_valid(void **unused)
{
	char sentence[SETTINGS_SENTENCE_MAX];
	struct config config;

	(void)unused;
	config_defaults(&config);
	config_take(&config, "UNSPIN_WRTE=grow");
	config_take(&config, "UNSPIN_WRITE=groww");
	config_take(&config, "UNSPIN_SNDBUF_MAX=1");
	assert_int_equal(config.problem_count, 3);
	settings_complaint(&config.problem[0], sentence);
	assert_non_null(strstr(sentence, "UNSPIN_WRITE"));
	settings_complaint(&config.problem[1], sentence);
	assert_non_null(strstr(sentence, config_rows[CONFIG_write].words));
	settings_complaint(&config.problem[2], sentence);
	assert_non_null(strstr(sentence, "65536..1073741824 bytes"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(distance_counts_each_kind_of_slip_once),
		cmocka_unit_test(distance_of_very_long_names_is_bounded),
		cmocka_unit_test(index_is_that_of_the_closest_and_first),
		cmocka_unit_test(mistyped_variables_find_their_option),
		cmocka_unit_test(every_option_is_its_own_nearest_name),
		cmocka_unit_test(allowed_words_and_defaults_are_accepted),
		cmocka_unit_test(complaints_name_what_would_be_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
