/* SPDX-License-Identifier: MIT */
/* needs: tools/read.c shim/config.c */
#include "unit.h"

#include "stats_sample.h"
#include "tools/read.h"

static struct sample sample;

static int make(void **unused)
{
	(void)unused;
	sample = sample_make();
	return 0;
}

static int drop(void **unused)
{
	(void)unused;
	free(sample.memory);
	return 0;
}

/*
 * Parses a copy of exactly this size, so that AddressSanitizer sees the first byte read too far,
 * and reads every row of what is accepted.
 */
static enum read_problem parse(size_t bytes)
{
	unsigned char *copy = calloc(1, bytes ? bytes : 1);
	struct stats_view view = { 0 };
	enum read_problem problem;
	struct thread_row thread;
	struct socket_row socket;
	struct epoll_row epoll;
	struct decision_row decision;

	memcpy(copy, sample.memory, bytes);
	problem = read_parse(copy, bytes, &view);
	for (unsigned s = 0; problem == READ_OK && s < SECTION_COUNT; s++) {
		for (uint32_t i = 0; i < read_rows(&view, (enum section_id)s); i++) {
			read_thread(&view, i, &thread);
			read_socket(&view, i, &socket);
			read_epoll(&view, i, &epoll);
			read_decision(&view, i, &decision);
		}
	}
	free(copy);
	return problem;
}

static void a_good_file_is_read(void **unused)
{
	struct stats_view view;
	struct socket_row row;
	struct thread_row thread;

	(void)unused;
	sample_socket(&sample, 2)->write_bytes = 77;
	sample_thread(&sample, 1)->total[TOTAL_COUNT - 1] = 5;
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	assert_int_equal(view.header.pid, 42);
	assert_int_equal(read_rows(&view, SECTION_SOCKETS), SAMPLE_ROWS);
	assert_true(read_socket(&view, 2, &row));
	assert_int_equal(row.write_bytes, 77);
	assert_int_equal(row.peer.port, 1002);
	assert_true(read_thread(&view, 1, &thread));
	assert_int_equal(thread.total[TOTAL_COUNT - 1], 5);
}

static void rows_that_are_free_or_changing_are_skipped(void **unused)
{
	struct stats_view view;
	struct socket_row row;
	struct thread_row thread;
	struct decision_row decision;

	(void)unused;
	sample_socket(&sample, 0)->state = ROW_CLAIMED;
	sample_socket(&sample, 1)->state = ROW_CLOSED;
	sample_socket(&sample, 2)->state = 77;
	sample_thread(&sample, 0)->state = ROW_CLAIMED;
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	assert_false(read_socket(&view, 0, &row));
	assert_true(read_socket(&view, 1, &row));
	assert_false(read_socket(&view, 2, &row));
	assert_false(read_socket(&view, 3, &row));
	assert_false(read_socket(&view, SAMPLE_ROWS, &row));
	assert_false(read_socket(&view, UINT32_MAX, &row));
	assert_false(read_thread(&view, 0, &thread));
	assert_false(read_decision(&view, 0, &decision));
}

static void every_shorter_file_is_refused(void **unused)
{
	(void)unused;
	for (size_t bytes = 0; bytes < sample.bytes; bytes++)
		assert_int_not_equal(parse(bytes), READ_OK);
	assert_int_equal(parse(sample.bytes), READ_OK);
	assert_int_equal(parse(0), READ_EMPTY);
	assert_int_equal(parse(sample.bytes - 1), READ_TRUNCATED);
}

static void a_file_still_being_made_is_told_from_a_foreign_one(void **unused)
{
	(void)unused;
	sample.header->magic = 0;
	assert_int_equal(parse(sample.bytes), READ_UNFINISHED);
	sample.header->magic = STATS_MAGIC + 1;
	assert_int_equal(parse(sample.bytes), READ_FOREIGN);
	assert_int_equal(parse(3), READ_FOREIGN);
	sample.header->magic = __builtin_bswap64(STATS_MAGIC);
	assert_int_equal(parse(sample.bytes), READ_OTHER_ORDER);
}

static void another_version_is_refused(void **unused)
{
	(void)unused;
	sample.header->version = STATS_VERSION + 1;
	assert_int_equal(parse(sample.bytes), READ_NEWER);
}

static void sections_that_leave_the_file_are_refused(void **unused)
{
	struct section good;

	(void)unused;
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		struct section *section = &sample.header->section[i];
		const struct section bad[] = {
			{ sample.bytes, section->count, section->stride },
			{ UINT64_MAX - 7, section->count, section->stride },
			{ 0, section->count, section->stride }, /* over the header */
			{ section->offset + 4, section->count, section->stride },
			{ section->offset, 0, section->stride },
			{ section->offset, UINT32_MAX, section->stride },
			{ section->offset, UINT32_MAX, UINT32_MAX - 7 },
			{ section->offset, section->count, 0 },
			{ section->offset, section->count, 8 },
			{ section->offset, section->count, section->stride + 1 },
			{ section->offset, section->count, (uint32_t)sample.bytes & ~7u },
		};

		good = *section;
		for (unsigned b = 0; b < sizeof(bad) / sizeof(bad[0]); b++) {
			*section = bad[b];
			assert_int_equal(parse(sample.bytes), READ_TORN);
		}
		*section = good;
		assert_int_equal(parse(sample.bytes), READ_OK);
	}
}

static void impossible_counts_are_refused(void **unused)
{
	(void)unused;
	sample.header->total_count = 65;
	assert_int_equal(parse(sample.bytes), READ_TORN);
	/* Fits the header's table, not the thread rows. */
	sample.header->total_count = 64;
	sample.header->section[SECTION_THREADS].stride =
		offsetof(struct thread_row, total) + 63 * 8;
	sample.header->section[SECTION_THREADS].count = 1;
	assert_int_equal(parse(sample.bytes), READ_TORN);
	sample.header->total_count = TOTAL_COUNT;
	sample.header->global_count = 33;
	assert_int_equal(parse(sample.bytes), READ_TORN);
	sample.header->global_count = GLOBAL_COUNT;
	sample.header->option_count = CONFIG_OPTIONS_MAX + 1;
	assert_int_equal(parse(sample.bytes), READ_TORN);
	sample.header->option_count = CONFIG_COUNT;
	sample.header->header_bytes = 64;
	assert_int_equal(parse(sample.bytes), READ_TORN);
	sample.header->header_bytes = UINT32_MAX;
	assert_int_equal(parse(sample.bytes), READ_TORN);
	sample.header->header_bytes = sizeof(struct stats_header);
	sample.header->pid = 0;
	assert_int_equal(parse(sample.bytes), READ_TORN);
}

static void strings_without_end_are_refused(void **unused)
{
	(void)unused;
	memset(sample.header->exe, 'x', sizeof(sample.header->exe));
	assert_int_equal(parse(sample.bytes), READ_TORN);
	sample.header->exe[255] = '\0';
	assert_int_equal(parse(sample.bytes), READ_OK);
	memset(sample.header->problem[7].value, 'x', sizeof(sample.header->problem[7].value));
	assert_int_equal(parse(sample.bytes), READ_TORN);
}

static void a_thread_name_without_end_is_cut(void **unused)
{
	struct stats_view view;
	struct thread_row row;

	(void)unused;
	memset(sample_thread(&sample, 0)->name, 'n', sizeof(row.name));
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	assert_true(read_thread(&view, 0, &row));
	assert_int_equal(strlen(row.name), sizeof(row.name) - 1);
}

/* A newer writer of the same version: longer rows and header, more counters, more options. */
static void longer_rows_and_more_counters_are_accepted(void **unused)
{
	struct section *section = &sample.header->section[SECTION_THREADS];
	struct thread_row *second;
	struct stats_view view;
	struct thread_row row;

	(void)unused;
	section->count = 2;
	section->stride += 128;
	second = (void *)((char *)sample.threads + section->stride);
	second->state = ROW_OPEN;
	second->tid = 4711;
	second->total[0] = 9;
	sample.header->total_count = TOTAL_COUNT + 1;
	sample.header->option_count = CONFIG_COUNT + 1;
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	assert_true(read_thread(&view, 1, &row));
	assert_int_equal(row.tid, 4711);
	assert_int_equal(row.total[0], 9);
}

/* An older writer: fewer counters, shorter socket rows. What it did not have is 0. */
static void missing_counters_are_zero(void **unused)
{
	struct stats_view view;
	struct thread_row thread;
	struct socket_row socket;

	(void)unused;
	sample_thread(&sample, 0);
	for (unsigned i = 0; i < TOTAL_COUNT; i++)
		sample.threads[0].total[i] = 1 + i;
	sample.header->total_count = 3;
	sample_socket(&sample, 0);
	memset(&sample.sockets[0].writes, 0xff,
	       sizeof(struct socket_row) - offsetof(struct socket_row, writes));
	sample.header->section[SECTION_SOCKETS].stride = offsetof(struct socket_row, write_bytes);
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	assert_true(read_thread(&view, 0, &thread));
	assert_int_equal(thread.total[2], 3);
	for (unsigned i = 3; i < TOTAL_COUNT; i++)
		assert_int_equal(thread.total[i], 0);
	assert_true(read_socket(&view, 0, &socket));
	assert_true(socket.writes == UINT64_MAX);
	assert_int_equal(socket.write_bytes, 0);
	assert_int_equal(socket.busy_us, 0);
}

/* Each word of the header replaced by each nasty value: refused or read, never read too far. */
static void no_word_of_the_header_leads_astray(void **unused)
{
	static const uint32_t nasty[] = { 0, 1, 8, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8 };
	uint32_t *words = (uint32_t *)sample.memory;

	(void)unused;
	for (size_t w = 0; w < sizeof(struct stats_header) / 4; w++) {
		uint32_t good = words[w];

		for (unsigned n = 0; n < sizeof(nasty) / sizeof(nasty[0]); n++) {
			words[w] = nasty[n];
			parse(sample.bytes);
		}
		words[w] = good;
	}
	assert_int_equal(parse(sample.bytes), READ_OK);
}

static void every_problem_has_a_text(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < READ_PROBLEM_COUNT; i++)
		assert_true(strlen(read_problem_text((enum read_problem)i)) > 5);
}

#define FRESH(function) cmocka_unit_test_setup_teardown(function, make, drop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FRESH(a_good_file_is_read),
		FRESH(rows_that_are_free_or_changing_are_skipped),
		FRESH(every_shorter_file_is_refused),
		FRESH(a_file_still_being_made_is_told_from_a_foreign_one),
		FRESH(another_version_is_refused),
		FRESH(sections_that_leave_the_file_are_refused),
		FRESH(impossible_counts_are_refused),
		FRESH(strings_without_end_are_refused),
		FRESH(a_thread_name_without_end_is_cut),
		FRESH(longer_rows_and_more_counters_are_accepted),
		FRESH(missing_counters_are_zero),
		FRESH(no_word_of_the_header_leads_astray),
		cmocka_unit_test(every_problem_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
