/* SPDX-License-Identifier: MIT */
/* needs: probes/idle_out.c */
#include "unit.h"

#include <sys/epoll.h>

#include "probes/idle_out.h"
#include "probes/wakeup.h"

#define PAUSE(events) (WAKEUP_PAUSE_NS + (events) * IDLE_OUT_EVENT_NS)

static void only_writable_is_alone(void **unused)
{
	(void)unused;
	assert_true(idle_out_is_alone(EPOLLOUT));
	assert_false(idle_out_is_alone(0)); /* no event */
	assert_false(idle_out_is_alone(EPOLLOUT | EPOLLIN));
	assert_false(idle_out_is_alone(EPOLLOUT | EPOLLERR | EPOLLHUP));
	assert_false(idle_out_is_alone(EPOLLOUT | EPOLLRDHUP));
	assert_false(idle_out_is_alone(EPOLLOUT | EPOLLPRI));
}

static void waiting_again_at_once_without_use_is_an_idle_round(void **unused)
{
	struct idle_out s = { 0 };

	(void)unused;
	assert_int_equal(idle_out_before(&s, 3, 0, 1000), IDLE_OUT_NONE);
	for (uint64_t now = 1000; now < 100000; now += 1000) {
		idle_out_returned(&s, 3, 1, 7, now);
		assert_int_equal(idle_out_before(&s, 3, 7, now + 500), IDLE_OUT_UNUSED);
	}
}

static void io_or_time_in_between_is_use(void **unused)
{
	struct idle_out s = { 0 };

	(void)unused;
	idle_out_returned(&s, 3, 1, 7, 1000);
	assert_int_equal(idle_out_before(&s, 3, 8, 1500), IDLE_OUT_USED);
	assert_int_equal(idle_out_before(&s, 3, 7, 1000 + PAUSE(1) - 1), IDLE_OUT_UNUSED);
	assert_int_equal(idle_out_before(&s, 3, 7, 1000 + PAUSE(1)), IDLE_OUT_USED);
	assert_int_equal(idle_out_before(&s, 3, 7, 0), IDLE_OUT_USED); /* the clock was not asked */
	idle_out_returned(&s, 3, 20, 7, 1000); /* each event takes a look */
	assert_int_equal(idle_out_before(&s, 3, 7, 1000 + PAUSE(20) - 1), IDLE_OUT_UNUSED);
	assert_int_equal(idle_out_before(&s, 3, 7, 1000 + PAUSE(20)), IDLE_OUT_USED);
}

static void other_sets_and_other_events_are_no_round(void **unused)
{
	struct idle_out s = { 0 };

	(void)unused;
	idle_out_returned(&s, 3, 1, 7, 1000);
	assert_int_equal(idle_out_before(&s, 4, 7, 1500), IDLE_OUT_NONE);
	idle_out_returned(&s, 3, 0, 7, 2000);
	assert_int_equal(idle_out_before(&s, 3, 7, 2500), IDLE_OUT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_writable_is_alone),
		cmocka_unit_test(waiting_again_at_once_without_use_is_an_idle_round),
		cmocka_unit_test(io_or_time_in_between_is_use),
		cmocka_unit_test(other_sets_and_other_events_are_no_round),
	};

	return cmocka_run_group_tests_name("idle_out", tests, NULL, NULL);
}
