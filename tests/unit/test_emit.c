/* SPDX-License-Identifier: MIT */
/* needs: tools/emit.c */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include "tools/emit.h"

static char *text;
static size_t bytes;

static struct emit begin(void)
{
	struct emit emit;

	free(text);
	emit_begin(&emit, open_memstream(&text, &bytes));
	return emit;
}

static const char *written(struct emit *emit)
{
	fclose(emit->out);
	return text;
}

static void assert_string_becomes(const char *value, const char *json)
{
	struct emit emit = begin();

	emit_string(&emit, NULL, value);
	assert_string_equal(written(&emit), json);
}

static void nested_values_are_separated_and_indented(void **unused)
{
	struct emit emit = begin();

	(void)unused;
	emit_object(&emit, NULL);
	emit_number(&emit, "a", 1);
	emit_array(&emit, "rows");
	emit_object(&emit, NULL);
	emit_bool(&emit, "yes", true);
	emit_null(&emit, "none");
	emit_end(&emit);
	emit_object(&emit, NULL);
	emit_end(&emit);
	emit_end(&emit);
	emit_string(&emit, "last", "x");
	emit_end(&emit);
	assert_string_equal(written(&emit),
			    "{\n  \"a\": 1,\n  \"rows\": [\n    {\"yes\": true, "
			    "\"none\": null},\n    {}\n  ],\n  \"last\": \"x\"\n}\n");
}

static void empty_brackets_stay_on_their_line(void **unused)
{
	struct emit emit = begin();

	(void)unused;
	emit_array(&emit, NULL);
	emit_end(&emit);
	assert_string_equal(written(&emit), "[]\n");
}

static void numbers_keep_all_digits(void **unused)
{
	struct emit emit = begin();

	(void)unused;
	emit_array(&emit, NULL);
	emit_number(&emit, NULL, UINT64_MAX);
	emit_signed(&emit, NULL, INT64_MIN);
	emit_end(&emit);
	assert_string_equal(written(&emit),
			    "[\n  18446744073709551615,\n  -9223372036854775808\n]\n");
}

static void brackets_deep_inside_close_as_they_opened(void **unused)
{
	struct emit emit = begin();

	(void)unused;
	for (unsigned i = 0; i < EMIT_DEPTH_MAX; i++)
		i % 2 ? emit_object(&emit, NULL) : emit_array(&emit, i ? "k" : NULL);
	for (unsigned i = 0; i < EMIT_DEPTH_MAX; i++)
		emit_end(&emit);
	assert_non_null(strstr(written(&emit), "[{}]"));
	assert_int_equal(emit.depth, 0);
}

static void quotes_backslashes_and_control_characters_are_escaped(void **unused)
{
	(void)unused;
	assert_string_becomes("a\"b\\c", "\"a\\\"b\\\\c\"");
	assert_string_becomes("\n\t\033[2J\x7f", "\"\\u000a\\u0009\\u001b[2J\\u007f\"");
	assert_string_becomes("", "\"\"");
	assert_string_becomes(NULL, "\"\"");
}

static void valid_utf8_passes(void **unused)
{
	(void)unused;
	assert_string_becomes("\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80",
			      "\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void what_is_not_utf8_is_replaced_byte_by_byte(void **unused)
{
	(void)unused;
	assert_string_becomes("a\xff"
			      "b",
			      "\"a\\ufffdb\"");
	assert_string_becomes("\xc3", "\"\\ufffd\"");		 /* cut short by the end */
	assert_string_becomes("\xc0\xaf", "\"\\ufffd\\ufffd\""); /* overlong */
	assert_string_becomes("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
	assert_string_becomes("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nested_values_are_separated_and_indented),
		cmocka_unit_test(empty_brackets_stay_on_their_line),
		cmocka_unit_test(numbers_keep_all_digits),
		cmocka_unit_test(brackets_deep_inside_close_as_they_opened),
		cmocka_unit_test(quotes_backslashes_and_control_characters_are_escaped),
		cmocka_unit_test(valid_utf8_passes),
		cmocka_unit_test(what_is_not_utf8_is_replaced_byte_by_byte),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(text);
	return failed;
}
