/* SPDX-License-Identifier: MIT */
/* needs: tools/text.c tools/table.c */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include "tools/table.h"
#include "tools/text.h"

static void counts_are_grouped(void **unused)
{
	(void)unused;
	assert_string_equal(text_count(0), "0");
	assert_string_equal(text_count(999), "999");
	assert_string_equal(text_count(1000), "1,000");
	assert_string_equal(text_count(UINT64_MAX), "18,446,744,073,709,551,615");
}

static void sizes_round_to_three_digits(void **unused)
{
	(void)unused;
	assert_string_equal(text_bytes(0), "0 B");
	assert_string_equal(text_bytes(999), "999 B");
	assert_string_equal(text_bytes(1023), "1023 B");
	assert_string_equal(text_bytes(1024), "1.00 KiB");
	assert_string_equal(text_bytes(16384), "16.0 KiB");
	assert_string_equal(text_bytes(1023 * 1024), "1.00 MiB");
	assert_string_equal(text_bytes(UINT64_MAX), "16.0 EiB");
	assert_string_equal(text_size(2000000), "1.91M");
}

static void short_numbers_fit_their_column(void **unused)
{
	(void)unused;
	assert_string_equal(text_short(99999), "99999");
	assert_string_equal(text_short(100000), "100k");
	assert_string_equal(text_short(999999), "1.00M");
	for (uint64_t value = 1; value < UINT64_MAX / 10; value *= 9) {
		assert_true(strlen(text_short(value)) <= 6);
		assert_true(strlen(text_size(value)) <= 6);
	}
}

static void durations_have_two_parts_at_most(void **unused)
{
	const uint64_t s = 1000000000;

	(void)unused;
	assert_string_equal(text_duration(0), "0 ns");
	assert_string_equal(text_duration(1500), "1.50 \xc2\xb5s");
	assert_string_equal(text_duration(59 * s), "59.0 s");
	assert_string_equal(text_duration(61 * s), "1 min 1 s");
	assert_string_equal(text_duration(3600 * s), "1 h 0 min");
	assert_string_equal(text_duration(90000 * s), "1 d 1 h");
	assert_string_equal(text_span(61 * s), "1m1s");
	assert_string_equal(text_value(1500, "us"), "1.50 ms");
	assert_string_equal(text_value(1500, "calls"), "1,500 calls");
}

static void names_cannot_steer_the_terminal(void **unused)
{
	(void)unused;
	assert_string_equal(text_clean("a\033[2Jb\nc\x9b"
				       "d"),
			    "a?[2Jb?c?d");
}

static void assert_wraps_to(const char *text, unsigned width, const char *lines)
{
	char *written = NULL;
	size_t bytes;
	FILE *out = open_memstream(&written, &bytes);

	text_wrap(out, text, 2, 2, width);
	fclose(out);
	assert_string_equal(written, lines);
	free(written);
}

static void text_breaks_between_words_only(void **unused)
{
	(void)unused;
	assert_wraps_to("one two three", 9, "one two\n  three\n");
	assert_wraps_to("one two three", 10, "one two\n  three\n");
	assert_wraps_to("incomprehensible x", 9, "incomprehensible\n  x\n");
	assert_wraps_to("a\nb", 80, "a\n  b\n");
	assert_wraps_to("", 80, "\n");
}

static void tables_align_cut_and_wrap(void **unused)
{
	static const struct table_column columns[] = {
		{ .title = "N", .is_right = true },
		{ .title = "NAME", .max = 8 },
		{ .title = "TEXT", .is_wrapped = true },
	};
	char *written = NULL;
	struct table table;
	size_t bytes;
	FILE *out = open_memstream(&written, &bytes);

	(void)unused;
	table_begin(&table, columns, 3);
	table_cell(&table, "%d", 100);
	table_cell(&table, "%s", "abcdefghijkl");
	table_cell(&table, "%s", "x");
	table_cell(&table, "%d", 1);
	table_cell(&table, "%s", "\xc2\xb5s");
	table_cell(&table, "%s", "y");
	assert_int_equal(table_rows(&table), 2);
	table_print(&table, out, 1);
	fclose(out);
	assert_string_equal(written, "   N  NAME      TEXT\n 100  abc..jkl  x\n"
				     "   1  \xc2\xb5s        y\n");
	free(written);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_grouped),
		cmocka_unit_test(sizes_round_to_three_digits),
		cmocka_unit_test(short_numbers_fit_their_column),
		cmocka_unit_test(durations_have_two_parts_at_most),
		cmocka_unit_test(names_cannot_steer_the_terminal),
		cmocka_unit_test(text_breaks_between_words_only),
		cmocka_unit_test(tables_align_cut_and_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
