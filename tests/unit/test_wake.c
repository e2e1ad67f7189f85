/* SPDX-License-Identifier: MIT */
/* needs: policy/wake.c */
#include "unit.h"

#include <sys/epoll.h>

#include "policy/wake.h"

/* So many events of each kind, looked at one by one as the shim does. */
static enum wake_verdict events(struct wake_listener *l, unsigned useful, unsigned herds)
{
	enum wake_verdict verdict = (enum wake_verdict)l->verdict;

	while (useful || herds) {
		if (useful) {
			useful--;
			l->useful++;
			verdict = wake_listener_look(l, 0);
		}
		if (herds) {
			herds--;
			l->herds++;
			verdict = wake_listener_look(l, 0);
		}
	}
	return verdict;
}

static void masks_are_those_the_kernel_takes(void **unused)
{
	static const struct {
		uint32_t mask;
		int may;
	} cases[] = {
		{ EPOLLIN, 1 },
		{ EPOLLIN | EPOLLET, 1 },
		{ EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP, 1 },
		{ EPOLLIN | EPOLLWAKEUP, 1 },
		{ 0, 0 }, /* disarmed: nobody is woken anyway */
		{ EPOLLOUT, 0 },
		{ EPOLLIN | EPOLLRDHUP, 0 },
		{ EPOLLIN | EPOLLONESHOT, 0 },
		{ EPOLLIN | EPOLLPRI, 0 },
		{ EPOLLIN | EPOLLRDNORM, 0 },
		{ EPOLLIN | EPOLLEXCLUSIVE, 0 }, /* the host's own */
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(wake_may_be_exclusive(cases[i].mask), cases[i].may);
}

static void listener_without_herd_is_left_alone(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, 100000, 0), WAKE_VERDICT_LEAVE);
	/* One wake-up in five is not yet worth it, however many there are. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(events(&l, 4, 1), WAKE_VERDICT_LEAVE);
}

static void few_events_decide_nothing(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, 0, WAKE_LOOK - 1), WAKE_VERDICT_LEAVE);
	assert_int_equal(events(&l, 0, 1), WAKE_VERDICT_EXCLUSIVE);
}

static void herd_after_a_quiet_past_is_noticed_soon(void **unused)
{
	struct wake_listener l = { .watchers = 2 };

	(void)unused;
	events(&l, 1000000, 0);
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
}

static void treatment_that_pays_is_kept(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 4, WAKE_LOOK - WAKE_LOOK / 4),
			 WAKE_VERDICT_EXCLUSIVE);
	for (int i = 0; i < 20; i++)
		assert_int_equal(events(&l, WAKE_PROOF, WAKE_PROOF / 4), WAKE_VERDICT_EXCLUSIVE);
}

static void treatment_that_does_not_pay_is_withdrawn_and_tried_again_much_later(void **unused)
{
	struct wake_listener l = { .watchers = 16 };

	(void)unused;
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
	assert_int_equal(events(&l, WAKE_PROOF, WAKE_PROOF), WAKE_VERDICT_WITHDRAWN);
	assert_int_equal(events(&l, 10000, 10000), WAKE_VERDICT_WITHDRAWN);
	l.herds += WAKE_AGAIN;
	assert_int_equal(wake_listener_look(&l, 0), WAKE_VERDICT_LEAVE);
	assert_int_equal(events(&l, WAKE_LOOK / 2, WAKE_LOOK / 2), WAKE_VERDICT_EXCLUSIVE);
}

static void forced_needs_a_second_set_and_nothing_else(void **unused)
{
	struct wake_listener l = { .watchers = 1 };

	(void)unused;
	assert_int_equal(wake_listener_look(&l, 1), WAKE_VERDICT_LEAVE);
	l.watchers = 2;
	assert_int_equal(wake_listener_look(&l, 1), WAKE_VERDICT_EXCLUSIVE);
	l.herds += 100 * WAKE_PROOF; /* never withdrawn */
	assert_int_equal(wake_listener_look(&l, 1), WAKE_VERDICT_EXCLUSIVE);
}

/* Processes share the counts without a lock. */
static void window_another_process_has_just_moved_is_empty(void **unused)
{
	struct wake_listener l = { .useful = 10, .herds = 10, .from_useful = 12, .from_herds = 500 };

	(void)unused;
	assert_int_equal(wake_listener_look(&l, 0), WAKE_VERDICT_LEAVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_are_those_the_kernel_takes),
		cmocka_unit_test(listener_without_herd_is_left_alone),
		cmocka_unit_test(few_events_decide_nothing),
		cmocka_unit_test(herd_after_a_quiet_past_is_noticed_soon),
		cmocka_unit_test(treatment_that_pays_is_kept),
		cmocka_unit_test(treatment_that_does_not_pay_is_withdrawn_and_tried_again_much_later),
		cmocka_unit_test(forced_needs_a_second_set_and_nothing_else),
		cmocka_unit_test(window_another_process_has_just_moved_is_empty),
	};

	return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}
