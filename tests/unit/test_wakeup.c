/* SPDX-License-Identifier: MIT */
/* needs: probes/wakeup.c */
#include "unit.h"

#include <sys/epoll.h>

#include "probes/wakeup.h"

#define MS 1000000ll

struct loop {
	struct wakeup_state state;
	uint64_t now_ns, io_calls;
	unsigned empty, idle;
};

/* One wait: `pause` ns after the last returned, lasting its whole timeout when it stays empty. */
static unsigned wait_for(struct loop *l, int64_t timeout_ns, int64_t returned, uint64_t pause)
{
	struct wait_event e = { .timeout_ns = timeout_ns, .returned = returned,
				.io_calls = l->io_calls };
	unsigned seen;

	l->now_ns += pause;
	e.enter_ns = wakeup_wants_enter(&l->state, timeout_ns) ? l->now_ns : 0;
	l->now_ns += returned == 0 && timeout_ns > 0 ? (uint64_t)timeout_ns : 500;
	e.return_ns = wakeup_wants_return(timeout_ns, returned) ? l->now_ns : 0;
	seen = wakeup_wait(&l->state, &e);
	l->empty += (seen & WAKEUP_EMPTY) != 0;
	l->idle += (seen & WAKEUP_IDLE) != 0;
	return seen;
}

static void begin(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->now_ns = 1000000;
}

static void busy_polling_with_zero_timeout_is_idle_from_the_second_on(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 24; i++)
		wait_for(&l, 0, 0, 300);
	assert_int_equal(l.empty, 24);
	assert_int_equal(l.idle, 23);
}

static void polling_every_millisecond_is_idle(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 24; i++)
		wait_for(&l, 1 * MS, 0, 2000);
	assert_int_equal(l.idle, 23);
}

static void timer_tick_of_ten_milliseconds_is_not_idle(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 100; i++)
		wait_for(&l, 10 * MS, 0, 300);
	assert_int_equal(l.empty, 100);
	assert_int_equal(l.idle, 0);
}

static void one_look_before_a_real_wait_is_not_idle(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 50; i++) {
		wait_for(&l, 0, 0, 300);
		wait_for(&l, -1, 1, 300);
	}
	assert_int_equal(l.idle, 0);
}

static void look_between_two_timer_waits_is_not_idle(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 50; i++) {
		wait_for(&l, 0, 0, 300);
		wait_for(&l, 10 * MS, 0, 300);
	}
	assert_int_equal(l.idle, 0);
}

/* libuv polls again with timeout 0, up to 48 times, when the event array came back full. */
static void burst_of_zero_timeouts_after_a_full_array_is_not_idle(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int turn = 0; turn < 10; turn++) {
		wait_for(&l, -1, 1024, 300);
		for (int i = 0; i < 47; i++) {
			l.io_calls += 1024;
			wait_for(&l, 0, 1024, 300000);
		}
		l.io_calls += 1024;
		wait_for(&l, 0, 0, 300000);
	}
	assert_int_equal(l.idle, 0);
}

static void io_between_two_empty_polls_makes_them_useful(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 50; i++) {
		wait_for(&l, 0, 0, 300);
		l.io_calls++; /* a worker that writes between its looks */
	}
	assert_int_equal(l.idle, 0);
}

static void work_between_two_empty_polls_makes_them_useful(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	for (int i = 0; i < 50; i++)
		wait_for(&l, 0, 0, WAKEUP_PAUSE_NS);
	assert_int_equal(l.idle, 0);
	for (int i = 0; i < 50; i++)
		wait_for(&l, 0, 0, WAKEUP_PAUSE_NS - 1);
	assert_int_equal(l.idle, 50);
}

static void failed_wait_is_neither_empty_nor_idle(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	wait_for(&l, 0, 0, 300);
	assert_int_equal(wait_for(&l, 0, -1, 300), 0);
	assert_int_equal(wait_for(&l, 0, 0, 300), WAKEUP_EMPTY);
}

static void events_end_a_run_of_idle_polls(void **unused)
{
	struct loop l;

	(void)unused;
	begin(&l);
	wait_for(&l, 0, 0, 300);
	wakeup_had_events(&l.state);
	assert_int_equal(wait_for(&l, 0, 0, 300), WAKEUP_EMPTY);
}

static void only_pure_events_are_remembered(void **unused)
{
	static const struct {
		uint32_t mask, pending;
	} cases[] = {
		{ EPOLLIN, READY_IN },
		{ EPOLLPRI, READY_IN },
		{ EPOLLOUT, READY_OUT },
		{ EPOLLIN | EPOLLOUT, READY_IN }, /* the EPOLLOUT cost no wake-up of its own */
		{ EPOLLHUP, 0 },
		{ EPOLLERR | EPOLLHUP, 0 },
		{ EPOLLOUT | EPOLLHUP, 0 },
		{ EPOLLOUT | EPOLLERR, 0 },
		{ EPOLLIN | EPOLLRDHUP, 0 },
		{ 0, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(ready_from_mask(cases[i].mask), cases[i].pending);
}

static void dry_needs_an_event_and_an_empty_read(void **unused)
{
	(void)unused;
	assert_true(ready_is_dry(READY_IN, 1));
	assert_false(ready_is_dry(READY_IN, 0));
	assert_false(ready_is_dry(0, 1)); /* a read nobody was woken for */
	assert_false(ready_is_dry(READY_OUT, 1));
	assert_true(ready_is_unused_out(READY_OUT));
	assert_false(ready_is_unused_out(READY_IN));
	assert_false(ready_is_unused_out(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_polling_with_zero_timeout_is_idle_from_the_second_on),
		cmocka_unit_test(polling_every_millisecond_is_idle),
		cmocka_unit_test(timer_tick_of_ten_milliseconds_is_not_idle),
		cmocka_unit_test(one_look_before_a_real_wait_is_not_idle),
		cmocka_unit_test(look_between_two_timer_waits_is_not_idle),
		cmocka_unit_test(burst_of_zero_timeouts_after_a_full_array_is_not_idle),
		cmocka_unit_test(io_between_two_empty_polls_makes_them_useful),
		cmocka_unit_test(work_between_two_empty_polls_makes_them_useful),
		cmocka_unit_test(failed_wait_is_neither_empty_nor_idle),
		cmocka_unit_test(events_end_a_run_of_idle_polls),
		cmocka_unit_test(only_pure_events_are_remembered),
		cmocka_unit_test(dry_needs_an_event_and_an_empty_read),
	};

	return cmocka_run_group_tests_name("wakeup", tests, NULL, NULL);
}
