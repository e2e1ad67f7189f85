/* SPDX-License-Identifier: MIT */
/* needs: probes/spin.c */
#include "unit.h"

#include "probes/spin.h"

#define THREAD 7

/* One socket and its host, driven by script: invented time, no waiting. */
struct host {
	struct spin_state state;
	struct spin_seen seen;
	struct write_event event;
	unsigned stalls, episodes, spins, resumes, spinners;
};

static void begin(struct host *h)
{
	memset(h, 0, sizeof(*h));
	h->event.now_ns = 1000;
	h->event.thread = THREAD;
	h->event.asked = 1000;
}

/* A write of 1000 bytes of which `taken` go out; -1: EAGAIN. */
static void write_by(struct host *h, uint32_t thread, int64_t taken)
{
	h->event.now_ns += 100;
	h->event.thread = thread;
	h->event.returned = taken;
	h->event.is_stall = taken < 1000;
	spin_write(&h->state, &h->event, &h->seen);
	h->stalls += h->seen.stalled;
	h->episodes += h->seen.episode;
	h->spins += h->seen.spun;
	h->resumes += h->seen.resumed;
	h->spinners += h->seen.became_spinner;
	h->event.has_slept = 0;
}

static void write_again(struct host *h, int64_t taken)
{
	write_by(h, THREAD, taken);
}

static void wait_once(struct host *h)
{
	h->event.waits++;
	h->event.wait_enter_ns = h->event.now_ns + 10;
	h->event.wait_return_ns = h->event.now_ns + 5000;
	h->event.now_ns += 5000;
}

static void full_write_is_nothing(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	for (int i = 0; i < 100; i++)
		write_again(&h, 1000);
	assert_int_equal(h.stalls + h.episodes + h.spins + h.resumes, 0);
	assert_false(spin_is_stalled(&h.state));
	assert_int_equal(spin_turn(&h.state), 100000);
}

static void stall_then_wait_then_write_is_a_resume_not_a_spin(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, -1);
	assert_true(spin_is_stalled(&h.state));
	wait_once(&h);
	write_again(&h, 1000);
	assert_int_equal(h.stalls, 1);
	assert_int_equal(h.spins + h.episodes, 0);
	assert_int_equal(h.resumes, 1);
	/* 10 ns to the wait, 100 ns after it; the 4990 ns asleep are not a cost. */
	assert_int_equal(h.seen.trip_ns, 110);
	assert_false(spin_is_stalled(&h.state));
}

static void partial_write_then_return_to_the_loop_is_no_spin(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	for (int i = 0; i < 50; i++) {
		write_again(&h, 300);
		wait_once(&h);
	}
	assert_int_equal(h.stalls, 50);
	assert_int_equal(h.episodes, 0);
	assert_int_equal(h.resumes, 49);
}

static void twenty_three_fruitless_tries_are_counted_as_such(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	for (int i = 0; i < 23; i++)
		write_again(&h, -1);
	assert_int_equal(h.stalls, 23);
	assert_int_equal(h.episodes, 1);
	assert_int_equal(h.spins, 22); /* the first was the stall, not yet a spin */
	assert_int_equal(h.seen.tries, 23);
	write_again(&h, 1000);
	assert_int_equal(h.spins, 23); /* the try that succeeds was one too */
	assert_false(spin_is_stalled(&h.state));
}

static void spinner_from_the_sixteenth_try_on_and_only_once(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	for (int i = 0; i < 15; i++)
		write_again(&h, -1);
	assert_int_equal(h.spinners, 0);
	write_again(&h, -1);
	assert_int_equal(h.spinners, 1);
	write_again(&h, 1000);
	for (int i = 0; i < 40; i++)
		write_again(&h, -1);
	assert_int_equal(h.spinners, 1);
	assert_int_equal(h.episodes, 2);
}

static void short_writes_neither_add_to_an_episode_nor_end_it(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, 500);
	write_again(&h, -1); /* a try after a short write: no spin */
	assert_int_equal(h.spins, 0);
	write_again(&h, 20); /* a try after EAGAIN: a spin, though it brought something */
	assert_int_equal(h.spins, 1);
	write_again(&h, -1); /* again after a short write */
	write_again(&h, -1);
	assert_int_equal(h.stalls, 5);
	assert_int_equal(h.episodes, 1);
	assert_int_equal(h.spins, 2);
	assert_int_equal(h.seen.tries, 3);
	assert_int_equal(spin_turn(&h.state), 520);
}

/* What nginx does, as every edge-triggered server must. */
static void writing_until_eagain_and_then_waiting_is_no_spin(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	for (int i = 0; i < 50; i++) {
		write_again(&h, 300);
		write_again(&h, -1);
		wait_once(&h);
	}
	assert_int_equal(h.stalls, 100);
	assert_int_equal(h.spins + h.episodes + h.spinners, 0);
	assert_int_equal(h.resumes, 49);
}

static void another_threads_write_is_a_resume(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, -1);
	write_by(&h, THREAD + 1, 1000);
	assert_int_equal(h.resumes, 1);
	assert_false(h.seen.waited);
	assert_int_equal(h.spins, 0);
	assert_int_equal(h.seen.trip_ns, 0); /* its waits are not the first thread's */
}

static void writable_event_ends_the_spin(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, -1);
	assert_int_equal(spin_writable(&h.state, h.event.now_ns + 700), 700);
	assert_int_equal(spin_writable(&h.state, h.event.now_ns + 900), 0); /* told once */
	write_again(&h, 1000);
	assert_int_equal(h.resumes, 1);
	assert_int_equal(h.spins, 0);
	assert_int_equal(spin_writable(&h.state, h.event.now_ns + 900), 0); /* nothing stalled */
}

static void registering_ends_the_spin_but_the_next_stall_may_spin_again(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, -1);
	spin_release(&h.state);
	write_again(&h, -1);
	assert_int_equal(h.resumes, 1);
	assert_int_equal(h.spins, 0);
	write_again(&h, -1);
	assert_int_equal(h.spins, 1);
}

static void sleeping_between_tries_is_no_spin(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	for (int i = 0; i < 20; i++) {
		write_again(&h, -1);
		h.event.has_slept = 1;
	}
	assert_int_equal(h.stalls, 20);
	assert_int_equal(h.episodes, 0);
	assert_int_equal(h.resumes, 19);
}

static void release_of_a_flowing_socket_does_nothing(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	spin_release(&h.state);
	write_again(&h, -1);
	write_again(&h, -1);
	assert_int_equal(h.spins, 1);
}

static void turn_returns_the_response_once(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, 1000);
	h.state.response_bytes += 24; /* as the fast path does */
	assert_int_equal(spin_turn(&h.state), 1024);
	assert_int_equal(spin_turn(&h.state), 0);
}

static void trip_of_a_thread_whose_wait_was_not_timed_is_unknown(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, -1);
	h.event.waits++; /* waited, but nobody looked at the clock */
	write_again(&h, 1000);
	assert_int_equal(h.resumes, 1);
	assert_int_equal(h.seen.trip_ns, 0);
}

static void write_finished_inside_the_call_is_no_stall_any_more(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, 300);
	spin_went_on(&h.state, 700, 1, h.event.now_ns);
	assert_false(spin_is_stalled(&h.state));
	write_again(&h, 1000);
	assert_int_equal(h.resumes + h.spins, 0);
	assert_int_equal(spin_turn(&h.state), 2000);
}

static void write_gone_on_with_in_vain_is_still_a_stall(void **unused)
{
	struct host h;

	(void)unused;
	begin(&h);
	write_again(&h, -1);
	spin_went_on(&h.state, 0, 0, h.event.now_ns);
	assert_true(spin_is_stalled(&h.state));
	write_again(&h, -1);
	assert_int_equal(h.spins, 1);
	spin_went_on(&h.state, 100, 0, h.event.now_ns + 5000); /* now the host has seen a short count */
	/* What the library waited itself is no part of the drain time. */
	assert_int_equal(spin_writable(&h.state, h.event.now_ns + 7000), 2000);
	h.state.is_released = 0;
	write_again(&h, 1000);
	assert_int_equal(h.spins, 1);
	assert_int_equal(spin_turn(&h.state), 1100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_write_is_nothing),
		cmocka_unit_test(stall_then_wait_then_write_is_a_resume_not_a_spin),
		cmocka_unit_test(partial_write_then_return_to_the_loop_is_no_spin),
		cmocka_unit_test(twenty_three_fruitless_tries_are_counted_as_such),
		cmocka_unit_test(spinner_from_the_sixteenth_try_on_and_only_once),
		cmocka_unit_test(short_writes_neither_add_to_an_episode_nor_end_it),
		cmocka_unit_test(writing_until_eagain_and_then_waiting_is_no_spin),
		cmocka_unit_test(another_threads_write_is_a_resume),
		cmocka_unit_test(writable_event_ends_the_spin),
		cmocka_unit_test(registering_ends_the_spin_but_the_next_stall_may_spin_again),
		cmocka_unit_test(sleeping_between_tries_is_no_spin),
		cmocka_unit_test(release_of_a_flowing_socket_does_nothing),
		cmocka_unit_test(turn_returns_the_response_once),
		cmocka_unit_test(write_finished_inside_the_call_is_no_stall_any_more),
		cmocka_unit_test(write_gone_on_with_in_vain_is_still_a_stall),
		cmocka_unit_test(trip_of_a_thread_whose_wait_was_not_timed_is_unknown),
	};

	return cmocka_run_group_tests_name("spin", tests, NULL, NULL);
}
