/* SPDX-License-Identifier: MIT */
/* needs: tools/dump_json.c tools/dump_text.c tools/dump_rows.c tools/advice.c tools/derive.c */
/* needs: tools/dump_process.c */
/* needs: tools/names.c tools/settings.c tools/nearest.c tools/table.c tools/text.c tools/emit.c */
/* needs: tools/read.c tools/process.c shim/config.c shim/stats_dir.c tools/symbol.c */
#include "unit.h"

#include "stats_sample.h"
#include "tools/dump.h"

static struct sample sample;
static char *text;

static int make(void **unused)
{
	(void)unused;
	sample = sample_make();
	sample_thread(&sample, 0)->total[TOTAL_WRITES] = 30;
	return 0;
}

static int drop(void **unused)
{
	(void)unused;
	free(sample.memory);
	free(text);
	text = NULL;
	return 0;
}

/* The output of the file in memory, or NULL when it is refused. */
static const char *dump(bool is_json, bool all)
{
	struct dump_about about = { .path = "/x/42",
				    .state = PROCESS_RUNNING,
				    .now_ns = SAMPLE_STARTED_NS + 3000000000u };
	struct stats_view view;
	struct emit emit;
	size_t bytes;
	FILE *out;

	if (read_parse(sample.memory, sample.bytes, &view) != READ_OK)
		return NULL;
	free(text);
	out = open_memstream(&text, &bytes);
	emit_begin(&emit, out);
	if (is_json)
		dump_json(&emit, NULL, &view, &about);
	else
		dump_text(out, &view, &about, all);
	fclose(out);
	return text;
}

static void assert_json_has(const char *part)
{
	if (!strstr(dump(true, false), part))
		fail_msg("no %s in %s", part, text);
}

static void json_has_addresses_and_times_in_words_of_the_reader(void **unused)
{
	struct socket_row *row = sample_socket(&sample, 1);

	(void)unused;
	row->peer = (struct stats_addr){ .family = AF_INET6, .port = 443, .ip = { [15] = 1 } };
	row->response_bytes[3] = 123;
	row->reason = REASON_GREW_SPIN;
	row->strategy = STRATEGY_GROW;
	assert_json_has("\"local\": \"10.0.0.1:80\", \"peer\": \"[::1]:443\"");
	assert_json_has("\"opened_ns\": 1000000500, \"closed_ns\": 0");
	assert_json_has("\"strategy\": \"grow\", \"reason\": \"grew_spin\"");
	assert_json_has("\"response_bytes_p50\": 123");
	row->peer.family = AF_UNIX;
	row->local.family = 0;
	assert_json_has("\"local\": \"\", \"peer\": \"unix\"");
}

static void json_settings_have_their_own_types(void **unused)
{
	(void)unused;
	sample.header->option_value[CONFIG_write] = WRITE_GROW;
	sample.header->option_is_set[CONFIG_write] = 1;
	strcpy(sample.header->stats_dir, "/x");
	assert_json_has("\"origin\": \"environment\"");
	assert_json_has("\"value\": \"grow\", \"default\": \"auto\"");
	assert_json_has("\"value\": true, \"default\": true");
	assert_json_has("\"value\": 4096, \"default\": 4096");
	assert_json_has("\"value\": \"/x\", \"default\": \"\"");
}

static void json_problems_carry_what_was_meant(void **unused)
{
	(void)unused;
	sample.header->problem_count = 9; /* more than kept: one row is filled here */
	sample.header->problem[0].kind = PROBLEM_UNKNOWN_NAME;
	strcpy(sample.header->problem[0].name, "UNSPIN_WRTE");
	assert_json_has("\"kind\": \"unknown_name\", \"did_you_mean\": \"UNSPIN_WRITE\"");
}

static void call_sites_of_waste_come_with_their_counters(void **unused)
{
	struct waste_site *site = sample.header->waste;

	(void)unused;
	assert_null(strstr(dump(false, false), "CALL SITES OF WASTE"));
	site[1] = (struct waste_site){ .address = 0x1234, .tid = 77, .idle_polls = 5 };
	site[3] = (struct waste_site){ .address = 0x5678, .is_shared = 1, .thin_waits = 23 };
	assert_true(strstr(dump(false, false), "0x5678") < strstr(text, "0x1234"));
	assert_non_null(strstr(text, "CALL SITES OF WASTE 2"));
	assert_non_null(strstr(text, "several  0x5678"));
	assert_non_null(strstr(text, "77  0x1234"));
	assert_non_null(strstr(dump(true, false), "\"address\": 4660"));
	assert_non_null(strstr(text, "\"thin_waits\": 23"));
	assert_null(strstr(text, "\"address\": 0,"));
}

static void sets_show_the_columns_that_are_used(void **unused)
{
	(void)unused;
	sample.epolls[0].state = ROW_OPEN;
	sample.epolls[0].waits = 1;
	assert_null(strstr(dump(false, false), "thin_waits  "));
	sample.epolls[0].thin_waits = 23;
	sample.epolls[0].waste_site = 0x1234;
	assert_non_null(strstr(dump(false, false), "thin_waits"));
	assert_non_null(strstr(text, "0x1234"));
	assert_null(strstr(text, "masked_waits"));
}

static void decisions_come_newest_first(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < SAMPLE_ROWS; i++)
		sample.decisions[i].sequence = i == 0 ? 5 : i + 1;
	dump(true, false);
	assert_true(strstr(text, "\"sequence\": 5") < strstr(text, "\"sequence\": 4"));
	assert_true(strstr(text, "\"sequence\": 4") < strstr(text, "\"sequence\": 2"));
}

static void text_puts_the_most_stalled_socket_first(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < SAMPLE_ROWS; i++)
		sample_socket(&sample, i)->eagain_writes = i == 2 ? 9 : i;
	dump(false, false);
	assert_true(strstr(text, "10.0.0.2:1002") < strstr(text, "10.0.0.2:1003"));
	assert_true(strstr(text, "10.0.0.2:1003") < strstr(text, "10.0.0.2:1000"));
}

static void text_hides_zero_counters_unless_asked(void **unused)
{
	(void)unused;
	assert_null(strstr(dump(false, false), "herd_accepts"));
	assert_non_null(strstr(dump(false, true), "herd_accepts"));
	assert_non_null(strstr(text, "30 calls"));
}

static void text_ends_in_a_sentence(void **unused)
{
	(void)unused;
	dump(false, false);
	assert_non_null(strstr(text, "Nothing wrong seen: all 30 writes were taken at once."));
	assert_string_equal(text + strlen(text) - 2, ".\n");
}

/* Only printable characters and newlines reach the terminal, whatever the file holds. */
static void hostile_names_do_not_reach_the_terminal(void **unused)
{
	(void)unused;
	strcpy(sample.header->exe, "/tmp/\033]0;x\007");
	strcpy(sample.header->version_text, "\033[2J");
	strcpy(sample.header->problem[0].name, "UNSPIN_\033[31m");
	strcpy(sample.header->stats_dir, "\r/x");
	sample.header->problem_count = 1;
	sample.header->option_is_set[CONFIG_stats_dir] = 1;
	sample.header->option_value[CONFIG_stats_dir] = 1;
	memcpy(sample.threads[0].name, "\033c\x9b", 4);
	for (const char *c = dump(false, true); *c; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n');
	for (const char *c = dump(true, true); *c; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n');
}

/* Every word of the file spoiled in turn: the output may be nonsense, the reader stays whole. */
static void no_word_of_the_file_breaks_the_output(void **unused)
{
	static const uint32_t nasty[] = { 0, 0x7fffffff, 0xffffffff };
	uint32_t *words = (uint32_t *)sample.memory;

	(void)unused;
	for (unsigned i = 0; i < SAMPLE_ROWS; i++) {
		sample_socket(&sample, i)->write_bytes = i;
		sample_thread(&sample, i);
		sample.epolls[i].state = ROW_OPEN;
		sample.epolls[i].waits = 1;
		sample.decisions[i].sequence = i + 1;
	}
	for (size_t w = 0; w < sample.bytes / 4; w++) {
		uint32_t good = words[w];

		for (unsigned n = 0; n < sizeof(nasty) / sizeof(nasty[0]); n++) {
			words[w] = nasty[n];
			dump(true, true);
			dump(false, true);
		}
		words[w] = good;
	}
	assert_non_null(dump(true, true));
}

#define FRESH(function) cmocka_unit_test_setup_teardown(function, make, drop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FRESH(json_has_addresses_and_times_in_words_of_the_reader),
		FRESH(json_settings_have_their_own_types),
		FRESH(json_problems_carry_what_was_meant),
		FRESH(call_sites_of_waste_come_with_their_counters),
		FRESH(sets_show_the_columns_that_are_used),
		FRESH(decisions_come_newest_first),
		FRESH(text_puts_the_most_stalled_socket_first),
		FRESH(text_hides_zero_counters_unless_asked),
		FRESH(text_ends_in_a_sentence),
		FRESH(hostile_names_do_not_reach_the_terminal),
		FRESH(no_word_of_the_file_breaks_the_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
