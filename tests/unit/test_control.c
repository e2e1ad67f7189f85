/* SPDX-License-Identifier: MIT */
/* needs: examples/reactor/control.c */
#include "unit.h"

#include "examples/reactor/control.h"

/* A stage, and the clock its controllers see. */
struct fixture {
	struct control_threads threads;
	struct control_batch batch;
	struct control_sample sample;
	int64_t now_ns;
};

static struct fixture begin(void)
{
	return (struct fixture){ .threads = { .threads_max = 4 },
				 .sample = { .threads = 1 },
				 .now_ns = 5000000000 };
}

static long next_threads(struct fixture *f)
{
	long change = control_threads(&f->threads, &f->sample, f->now_ns);

	f->now_ns += CONTROL_PERIOD_NS;
	f->sample.threads += change;
	return change;
}

static long next_batch(struct fixture *f, unsigned long done)
{
	f->sample.completed += done;
	return control_batch(&f->batch, &f->sample);
}

static void long_queue_gets_a_thread_a_period_up_to_the_limit(void **unused)
{
	struct fixture f = begin();

	(void)unused;
	f.sample.queue_length = CONTROL_QUEUE_ADD;
	for (int i = 0; i < 3; i++)
		assert_int_equal(next_threads(&f), 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(next_threads(&f), 0);
	assert_int_equal(f.sample.threads, 4);
}

static void short_queue_and_idle_threads_get_none(void **unused)
{
	struct fixture f = begin();

	(void)unused;
	f.sample.queue_length = CONTROL_QUEUE_ADD - 1;
	assert_int_equal(next_threads(&f), 0);
	f.sample.queue_length = 1000;
	f.sample.idle_threads = 1; /* it has not been woken yet */
	assert_int_equal(next_threads(&f), 0);
}

static void thread_idle_all_the_time_is_taken_one_at_a_time(void **unused)
{
	const int periods = (int)(CONTROL_IDLE_NS / CONTROL_PERIOD_NS);
	struct fixture f = begin();

	(void)unused;
	f.sample.threads = 3;
	f.sample.idle_threads = 3;
	for (int left = 2; left > 0; left--) {
		for (int i = 0; i < periods - (left == 1); i++)
			assert_int_equal(next_threads(&f), 0);
		assert_int_equal(next_threads(&f), -1);
	}
	for (int i = 0; i < 3 * periods; i++)
		assert_int_equal(next_threads(&f), 0); /* the last one stays */
	assert_int_equal(f.sample.threads, 1);
}

static void thread_with_work_now_and_then_stays(void **unused)
{
	const int periods = (int)(CONTROL_IDLE_NS / CONTROL_PERIOD_NS);
	struct fixture f = begin();

	(void)unused;
	f.sample.threads = 3;
	for (int i = 0; i < 10 * periods; i++) {
		f.sample.idle_threads = i % periods != 0;
		assert_int_equal(next_threads(&f), 0);
	}
}

static void batch_shrinks_to_one_while_the_rate_stays(void **unused)
{
	struct fixture f = begin();
	long last = CONTROL_BATCH_MAX + 1;

	(void)unused;
	for (int i = 0; i < 100; i++) {
		long batch = next_batch(&f, 1000);

		assert_true(batch < last || batch == 1);
		last = batch;
	}
	assert_int_equal(last, 1);
}

static void batch_grows_where_the_rate_falls_a_little(void **unused)
{
	struct fixture f = begin();
	long before = 0, after;

	(void)unused;
	for (int i = 0; i < 10; i++)
		before = next_batch(&f, 1000);
	/* 20 % less: the average passes the sixteenth at the second such sample. */
	next_batch(&f, 800);
	before = next_batch(&f, 800);
	after = next_batch(&f, 800);
	assert_true(after > before);
	assert_true(after < CONTROL_BATCH_MAX);
}

static void batch_starts_anew_where_the_rate_falls_by_half(void **unused)
{
	struct fixture f = begin();
	long batch = 0;
	int i;

	(void)unused;
	for (i = 0; i < 100; i++)
		next_batch(&f, 1000);
	for (i = 0; i < 10 && batch != CONTROL_BATCH_MAX; i++)
		batch = next_batch(&f, 100);
	assert_int_equal(batch, CONTROL_BATCH_MAX);
	assert_in_range(i, 2, 4); /* observed: 3, it is an average */
	for (i = 0; i < 100; i++)
		batch = next_batch(&f, 100);
	assert_int_equal(batch, 1); /* and finds the new load's */
}

static void batch_stays_while_nothing_is_done(void **unused)
{
	struct fixture f = begin();
	long batch;

	(void)unused;
	assert_int_equal(next_batch(&f, 0), CONTROL_BATCH_MAX);
	batch = next_batch(&f, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(next_batch(&f, 0), batch);
}

static void batch_keeps_its_limits_whatever_the_rate(void **unused)
{
	struct fixture f = begin();
	unsigned int seed = 1;

	(void)unused;
	for (int i = 0; i < 10000; i++) {
		seed = seed * 1103515245 + 12345;
		assert_in_range(next_batch(&f, seed >> (i % 30)), 1, CONTROL_BATCH_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_queue_gets_a_thread_a_period_up_to_the_limit),
		cmocka_unit_test(short_queue_and_idle_threads_get_none),
		cmocka_unit_test(thread_idle_all_the_time_is_taken_one_at_a_time),
		cmocka_unit_test(thread_with_work_now_and_then_stays),
		cmocka_unit_test(batch_shrinks_to_one_while_the_rate_stays),
		cmocka_unit_test(batch_grows_where_the_rate_falls_a_little),
		cmocka_unit_test(batch_starts_anew_where_the_rate_falls_by_half),
		cmocka_unit_test(batch_stays_while_nothing_is_done),
		cmocka_unit_test(batch_keeps_its_limits_whatever_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
