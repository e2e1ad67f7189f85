/* SPDX-License-Identifier: MIT */
/* needs: shim/config.c */
#include "unit.h"

#include "shim/config.h"

static void defaults_are_those_of_the_table_and_lie_in_range(void **unused)
{
	struct config c;

	(void)unused;
	config_defaults(&c);
	for (unsigned i = 0; i < CONFIG_COUNT; i++) {
		assert_int_equal(c.value[i], config_rows[i].def);
		assert_int_equal(c.is_set[i], 0);
		if (config_rows[i].kind == CONFIG_KIND_UINT) {
			assert_true(c.value[i] >= config_rows[i].min);
			assert_true(c.value[i] <= config_rows[i].max);
		}
		/* A file of settings shows the name whole. */
		assert_true(strlen(config_rows[i].env) < sizeof(c.problem[0].name));
	}
	assert_int_equal(c.value[CONFIG_mode], MODE_ADAPT);
	assert_int_equal(c.value[CONFIG_write], WRITE_AUTO);
}

static void words_of_the_enums_match_their_constants(void **unused)
{
	static const struct {
		enum config_option option;
		unsigned index;
		const char *word;
	} cases[] = {
		{ CONFIG_mode, MODE_OFF, "off" },     { CONFIG_mode, MODE_OBSERVE, "observe" },
		{ CONFIG_mode, MODE_ADAPT, "adapt" }, { CONFIG_write, WRITE_AUTO, "auto" },
		{ CONFIG_write, WRITE_OFF, "off" },   { CONFIG_write, WRITE_GROW, "grow" },
		{ CONFIG_write, WRITE_SPIN, "spin" }, { CONFIG_write, WRITE_BLOCK, "block" },
	};
	char word[16];

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		config_word(config_rows[cases[i].option].words, cases[i].index, word,
			    sizeof(word));
		assert_string_equal(word, cases[i].word);
	}
	config_word("a|b", 2, word, sizeof(word));
	assert_string_equal(word, "");
}

static void good_values_are_taken(void **unused)
{
	char *environment[] = { "PATH=/bin",	      "UNSPIN_MODE=observe",
				"UNSPIN_WRITE=grow",  "UNSPIN_SNDBUF_MAX=2m",
				"UNSPIN_OVERRIDE=no", "UNSPIN_STATS_DIR=/tmp/x",
				"UNSPIN_LIBRARY=/lib/x.so", NULL };
	struct config c;

	(void)unused;
	config_from_environment(&c, environment);
	assert_int_equal(c.problem_count, 0);
	assert_int_equal(c.value[CONFIG_mode], MODE_OBSERVE);
	assert_int_equal(c.value[CONFIG_write], WRITE_GROW);
	assert_int_equal(c.value[CONFIG_sndbuf_max], 2097152);
	assert_int_equal(c.value[CONFIG_override], 0);
	assert_int_equal(c.is_set[CONFIG_override], 1);
	assert_string_equal(c.stats_dir, "/tmp/x");
}

static void sets_are_lists_of_words(void **unused)
{
	static const struct {
		const char *text;
		uint64_t bits;
	} cases[] = {
		{ "UNSPIN_WAKE=auto", WAKE_AUTO },
		{ "UNSPIN_WAKE=off", WAKE_OFF },
		{ "UNSPIN_WAKE=exclusive", WAKE_EXCLUSIVE },
		{ "UNSPIN_WAKE=exclusive,stretch", WAKE_EXCLUSIVE | WAKE_STRETCH },
		{ "UNSPIN_WAKE=stretch,mask", WAKE_MASK | WAKE_STRETCH },
	};
	struct config c;
	char text[64];

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		config_defaults(&c);
		assert_int_equal(config_take(&c, cases[i].text), PROBLEM_NONE);
		assert_int_equal(c.value[CONFIG_wake], cases[i].bits);
		config_set_words(config_rows[CONFIG_wake].words, cases[i].bits, text, sizeof(text));
		assert_string_equal(text, strchr(cases[i].text, '=') + 1);
	}
	config_set_words("a|b|c|d", 1 << 2 | 1 << 3, text, sizeof(text));
	assert_string_equal(text, "c,d");
	config_set_words("a|b|cc|dd", 1 << 2 | 1 << 3, text, 4); /* cut, never overrun */
	assert_string_equal(text, "cc,");
	config_set_words("a|b", 1 << 5, text, sizeof(text)); /* of a newer library */
	assert_string_equal(text, "");
}

static void bad_values_keep_the_default_and_are_told(void **unused)
{
	static const struct {
		const char *text;
		enum problem_kind problem;
	} cases[] = {
		{ "UNSPIN_MODE=adaptive", PROBLEM_BAD_VALUE },
		{ "UNSPIN_MODE=", PROBLEM_BAD_VALUE },
		{ "UNSPIN_MODE=off|observe", PROBLEM_BAD_VALUE },
		{ "UNSPIN_SNDBUF_MAX=abc", PROBLEM_BAD_VALUE },
		{ "UNSPIN_SNDBUF_MAX=", PROBLEM_BAD_VALUE },
		{ "UNSPIN_SNDBUF_MAX=-1", PROBLEM_BAD_VALUE },
		{ "UNSPIN_SNDBUF_MAX=1mb", PROBLEM_BAD_VALUE },
		{ "UNSPIN_SNDBUF_MAX=1", PROBLEM_OUT_OF_RANGE },
		{ "UNSPIN_SNDBUF_MAX=99999999999999999999", PROBLEM_OUT_OF_RANGE },
		{ "UNSPIN_SNDBUF_MAX=17179869184g", PROBLEM_OUT_OF_RANGE },
		{ "UNSPIN_STATS_SOCKETS=64k", PROBLEM_BAD_VALUE }, /* a count has no suffix */
		{ "UNSPIN_OVERRIDE=2", PROBLEM_BAD_VALUE },
		{ "UNSPIN_STATS_DIR=relative", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=exclusive,", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=,exclusive", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=exclusive,exclusive", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=exclusive,auto", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=off,exclusive", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=auto,off", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WAKE=exclusiv", PROBLEM_BAD_VALUE },
		{ "UNSPIN_WRITTE=grow", PROBLEM_UNKNOWN_NAME },
		{ "UNSPIN_=1", PROBLEM_UNKNOWN_NAME },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct config c;

		config_defaults(&c);
		assert_int_equal(config_take(&c, cases[i].text), cases[i].problem);
		assert_int_equal(c.problem_count, 1);
		assert_int_equal(c.problem[0].kind, cases[i].problem);
		for (unsigned o = 0; o < CONFIG_COUNT; o++)
			assert_int_equal(c.value[o], config_rows[o].def);
	}
}

static void too_many_and_too_long_problems_are_cut_but_counted(void **unused)
{
	struct config c;
	char text[400];

	(void)unused;
	memset(text, 'X', sizeof(text));
	memcpy(text, "UNSPIN_", 7);
	text[200] = '=';
	text[sizeof(text) - 1] = '\0';
	config_defaults(&c);
	for (int i = 0; i < 3 * CONFIG_PROBLEMS_MAX; i++)
		config_take(&c, text);
	assert_int_equal(c.problem_count, 3 * CONFIG_PROBLEMS_MAX);
	assert_int_equal(strlen(c.problem[0].name), sizeof(c.problem[0].name) - 1);
	assert_int_equal(strlen(c.problem[0].value), sizeof(c.problem[0].value) - 1);
}

static void overlong_directory_is_refused_not_cut(void **unused)
{
	struct config c;
	char text[600];

	(void)unused;
	memset(text, 'x', sizeof(text));
	memcpy(text, "UNSPIN_STATS_DIR=/", 18);
	text[sizeof(text) - 1] = '\0';
	config_defaults(&c);
	assert_int_equal(config_take(&c, text), PROBLEM_OUT_OF_RANGE);
	assert_string_equal(c.stats_dir, "");
}

static void foreign_and_malformed_strings_are_ignored(void **unused)
{
	struct config c;

	(void)unused;
	config_defaults(&c);
	assert_int_equal(config_take(&c, "UNSPI"), PROBLEM_NONE);
	assert_int_equal(config_take(&c, "UNSPIN_MODE"), PROBLEM_NONE);
	assert_int_equal(config_take(&c, ""), PROBLEM_NONE);
	assert_int_equal(config_take(&c, "OTHER_MODE=off"), PROBLEM_NONE);
	assert_int_equal(c.problem_count, 0);
	config_from_environment(&c, NULL);
	assert_int_equal(c.value[CONFIG_mode], MODE_ADAPT);
}

static void profiles_hold_only_good_settings(void **unused)
{
	static const char *const settings[] = {
#define PROFILE(name, help, text) text,
#include "shim/config.def"
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		char copy[256], *save, *pair;

		assert_true(strlen(settings[i]) < sizeof(copy));
		strcpy(copy, settings[i]);
		for (pair = strtok_r(copy, " ", &save); pair; pair = strtok_r(NULL, " ", &save)) {
			char *value = strchr(pair, '=');
			struct config c;
			int found = 0;

			assert_non_null(value);
			*value++ = '\0';
			config_defaults(&c);
			for (unsigned o = 0; o < CONFIG_COUNT; o++)
				if (!strcmp(config_rows[o].key, pair)) {
					assert_int_equal(config_set(&c, o, value), PROBLEM_NONE);
					found = 1;
				}
			assert_true(found);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_table_and_lie_in_range),
		cmocka_unit_test(words_of_the_enums_match_their_constants),
		cmocka_unit_test(good_values_are_taken),
		cmocka_unit_test(sets_are_lists_of_words),
		cmocka_unit_test(bad_values_keep_the_default_and_are_told),
		cmocka_unit_test(too_many_and_too_long_problems_are_cut_but_counted),
		cmocka_unit_test(overlong_directory_is_refused_not_cut),
		cmocka_unit_test(foreign_and_malformed_strings_are_ignored),
		cmocka_unit_test(profiles_hold_only_good_settings),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
