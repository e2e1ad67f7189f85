/* SPDX-License-Identifier: MIT */
/* needs: tools/advice.c tools/derive.c tools/symbol.c tools/process.c shim/stats_dir.c tools/names.c tools/read.c tools/text.c shim/config.c */
#include "unit.h"

#include "stats_sample.h"
#include "tools/advice.h"

static struct sample sample;
static uint64_t *total;
static char *advice;

static int make(void **unused)
{
	(void)unused;
	sample = sample_make();
	total = sample_thread(&sample, 0)->total;
	total[TOTAL_WRITES] = 1000;
	return 0;
}

static int drop(void **unused)
{
	(void)unused;
	free(sample.memory);
	free(advice);
	advice = NULL;
	return 0;
}

static void assert_says(const char *part, bool is_said)
{
	struct stats_view view;

	free(advice);
	assert_int_equal(read_parse(sample.memory, sample.bytes, &view), READ_OK);
	advice = advice_text(&view);
	if (!!strstr(advice, part) != is_said)
		fail_msg("\"%s\" %s in: %s", part, is_said ? "not" : "was", advice);
}

static void no_stall_is_nothing_wrong(void **unused)
{
	(void)unused;
	assert_says("Nothing wrong seen: all 1,000 writes", true);
	assert_says("spin", false);
}

static void spinners_are_named_with_what_it_costs(void **unused)
{
	(void)unused;
	total[TOTAL_EAGAIN_WRITES] = 700;
	total[TOTAL_SPIN_WRITES] = 690;
	total[TOTAL_SPINNERS] = 3;
	sample_socket(&sample, 0)->spins_max = 400;
	assert_says("Write-spin on 3 sockets", true);
	assert_says("690 times (69 % of its write calls, up to 400 in one go)", true);
	assert_says("burns CPU", true);
	assert_says("Nothing wrong", false);
}

static void one_second_try_among_many_waits_is_no_spin(void **unused)
{
	(void)unused;
	total[TOTAL_SHORT_WRITES] = 100;
	total[TOTAL_RESUMES] = 99;
	total[TOTAL_SPIN_WRITES] = 1;
	total[TOTAL_TRIPS] = 10;
	total[TOTAL_TRIP_NS] = 50000;
	assert_says("spin", false);
	assert_says("100 of 1,000 writes stalled (10 %)", true);
	assert_says("5.00 \xc2\xb5s of its own time", true);
}

/* nginx: a short write, one more that proves the socket full, then a wait. */
static void one_try_per_run_and_then_a_wait_is_no_spin(void **unused)
{
	(void)unused;
	total[TOTAL_SHORT_WRITES] = 7;
	total[TOTAL_EAGAIN_WRITES] = 4;
	total[TOTAL_SPIN_EPISODES] = total[TOTAL_SPIN_WRITES] = 7;
	total[TOTAL_RESUMES] = 4;
	assert_says("spin", false);
	assert_says("11 of 1,000 writes stalled", true);
}

static void a_server_that_never_waits_spins(void **unused)
{
	(void)unused;
	total[TOTAL_SHORT_WRITES] = 7;
	total[TOTAL_SPIN_EPISODES] = total[TOTAL_SPIN_WRITES] = 7;
	assert_says("Write-spin", true);
	assert_says("burns CPU", false); /* no run was long */
}

static void raised_buffers_are_told_with_their_sizes(void **unused)
{
	struct socket_row *row = sample_socket(&sample, 0);

	(void)unused;
	total[TOTAL_SHORT_WRITES] = 2;
	total[TOTAL_SPIN_WRITES] = 2;
	total[TOTAL_GROWN_SOCKETS] = 1;
	row->short_writes = 2;
	row->growths = 1;
	row->sndbuf_start = 16384;
	row->sndbuf_now = 4 << 20;
	assert_says("raised the send buffer of 1 socket (from 16.0 KiB to as much as 4.00 MiB)",
		    true);
	assert_says("left alone", false);
}

static void stalled_sockets_left_alone_come_with_the_commonest_reason(void **unused)
{
	(void)unused;
	total[TOTAL_EAGAIN_WRITES] = 3;
	for (unsigned i = 0; i < 3; i++) {
		sample_socket(&sample, i)->eagain_writes = 1;
		sample.sockets[i].reason = i ? REASON_RECEIVER_LIMITED : REASON_NO_BUDGET;
	}
	assert_says("2 stalled sockets were left alone", true);
	assert_says("the reader is slow", true);
}

static void observing_says_how_to_act(void **unused)
{
	(void)unused;
	sample.header->mode = MODE_OBSERVE;
	assert_says("only counted", false); /* nothing to act on */
	total[TOTAL_EAGAIN_WRITES] = 3;
	assert_says("UNSPIN_MODE=adapt", true);
}

static void off_and_idle_are_not_called_healthy(void **unused)
{
	(void)unused;
	total[TOTAL_WRITES] = 0;
	assert_says("unspin check 42", true);
	assert_says("Nothing wrong", false);
	sample.header->mode = MODE_OFF;
	assert_says("mode=off", true);
	assert_says("unspin check", false);
}

static void wakeup_faults_need_both_share_and_number(void **unused)
{
	(void)unused;
	total[TOTAL_WAITS] = 100;
	total[TOTAL_IDLE_POLLS] = 99;
	assert_says("idle polls", false);
	total[TOTAL_WAITS] = 100000;
	total[TOTAL_IDLE_POLLS] = 4000;
	assert_says("idle polls", false);
	total[TOTAL_IDLE_POLLS] = 6000;
	assert_says("6 % of its waits were idle polls", true);
	total[TOTAL_WAIT_EVENTS] = 1000;
	total[TOTAL_HERD_ACCEPTS] = 500;
	assert_says("thundering herd", true);
	assert_says("called from", false);
	total[TOTAL_THIN_WAITS] = 49000;
	assert_says("were thin", false);
	total[TOTAL_THIN_WAITS] = 50000;
	assert_says("50 % of its waits were thin", true);
}

static void the_place_with_most_of_the_waste_is_named(void **unused)
{
	struct waste_site *site = sample.header->waste;

	(void)unused;
	total[TOTAL_WAITS] = total[TOTAL_IDLE_POLLS] = 1000;
	site[2].address = 0x1234;
	site[2].tid = 77;
	site[2].idle_polls = 499; /* others may be to blame as much */
	assert_says("called from", false);
	site[2].idle_polls = 500;
	assert_says("(called from 0x1234, thread 77)", true);
	site[2].is_shared = 1;
	assert_says("(called from 0x1234)", true);
	site[3].address = 0x5678;
	site[3].idle_polls = 501;
	assert_says("0x5678", true);
	/* Each of its waits brought four. */
	total[TOTAL_IDLE_POLLS] = 0;
	total[TOTAL_WAIT_EVENTS] = total[TOTAL_UNUSED_OUT] = 4000;
	site[2].idle_outs = 499;
	assert_says("called from", false);
	site[2].idle_outs = 500;
	assert_says("too long (called from 0x1234)", true);
	site[4].thin_waits = 1000; /* a free row: no place */
	assert_says("were thin", false);
}

static void calmed_wakeups_are_told_with_their_time(void **unused)
{
	(void)unused;
	assert_says("EPOLLEXCLUSIVE", false);
	total[TOTAL_EXCLUSIVE_ADDS] = 16;
	assert_says("gave EPOLLEXCLUSIVE to 16 registrations", true);
	total[TOTAL_STRETCHED_POLLS] = 1;
	total[TOTAL_STRETCHED_NS] = 2000000000;
	assert_says("kept 1 idle poll waiting a little: 2.00 s in all", true);
	total[TOTAL_MASKED_WAITS] = 3;
	assert_says("kept 3 waits that would only have said \"writable\"", true);
	total[TOTAL_GATHERED_WAITS] = 4;
	assert_says("processor on before 4 waits", true);
}

static void limits_and_ignored_settings_are_remarked(void **unused)
{
	(void)unused;
	sample.header->problem_count = 1;
	sample.header->global[GLOBAL_SOCKETS_UNTRACKED] = 5;
	assert_says("1 setting was ignored", true);
	assert_says("UNSPIN_STATS_SOCKETS", true);
	assert_says("Nothing wrong seen", true);
	sample.header->global[GLOBAL_BUDGET_REFUSALS] = 5;
	assert_says("UNSPIN_SNDBUF_BUDGET", true);
	assert_says("Nothing wrong seen", false);
}

#define FRESH(function) cmocka_unit_test_setup_teardown(function, make, drop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FRESH(no_stall_is_nothing_wrong),
		FRESH(spinners_are_named_with_what_it_costs),
		FRESH(one_second_try_among_many_waits_is_no_spin),
		FRESH(one_try_per_run_and_then_a_wait_is_no_spin),
		FRESH(a_server_that_never_waits_spins),
		FRESH(raised_buffers_are_told_with_their_sizes),
		FRESH(stalled_sockets_left_alone_come_with_the_commonest_reason),
		FRESH(observing_says_how_to_act),
		FRESH(calmed_wakeups_are_told_with_their_time),
		FRESH(off_and_idle_are_not_called_healthy),
		FRESH(wakeup_faults_need_both_share_and_number),
		FRESH(the_place_with_most_of_the_waste_is_named),
		FRESH(limits_and_ignored_settings_are_remarked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
