/* SPDX-License-Identifier: MIT */
/* needs: shim/site.c shim/frame.c */
#include "unit.h"

#include <dlfcn.h>

#include "shim/config.h"
#include "shim/site.h"
#include "tests/helpers/plain.h"

int (*real_find_object)(void *, struct frame_object *);
static int (*true_find)(void *, struct frame_object *);
static uintptr_t unknown_from, unknown_to; /* code without frame information, as a JIT's */

static int is_configuring;

static int find_object(void *address, struct frame_object *ret)
{
	int r;

	if ((uintptr_t)address > unknown_from && (uintptr_t)address < unknown_to)
		return -1;
	r = true_find(address, ret);
	/* Here the library and its host are one object; it must not take the host for itself. */
	if (r == 0 && is_configuring)
		ret->link_map = NULL;
	return r;
}

static struct site site;

/* Stands for the wrapper of write(). */
PLAIN static void wrapper(void)
{
	site = site_look(__builtin_frame_address(0), __builtin_return_address(0));
	STAY;
}

PLAIN static struct site helper(void)
{
	wrapper();
	STAY;
	return site;
}

PLAIN static struct site user_a(void)
{
	struct site s = helper();

	STAY;
	return s;
}

/* Same frame size, hence the same depth, as user_a. */
PLAIN static struct site user_b(void)
{
	struct site s = helper();

	STAY;
	return s;
}

PLAIN static struct site recursive(int n)
{
	struct site s = n ? recursive(n - 1) : helper();

	STAY;
	return s;
}

static void callers_are(unsigned n)
{
	static struct config config;

	config.value[CONFIG_callers] = n;
	is_configuring = 1;
	site_configure(&config);
	is_configuring = 0;
}

static int set_up(void **unused)
{
	(void)unused;
	real_find_object = find_object;
	unknown_from = unknown_to = 0;
	callers_are(7);
	return 0;
}

static void two_users_of_one_helper_are_told_apart(void **unused)
{
	struct site a = user_a(), b = user_b();

	(void)unused;
	assert_int_equal(a.address, b.address);
	assert_int_not_equal(a.path, 0);
	assert_int_not_equal(b.path, 0);
	assert_int_not_equal(a.path, b.path);
	assert_in_range(a.caller[0], (uintptr_t)user_a, (uintptr_t)user_a + 999);
	assert_in_range(b.caller[0], (uintptr_t)user_b, (uintptr_t)user_b + 999);
	assert_int_not_equal(a.caller[2], 0);
}

static void the_same_user_is_the_same_site(void **unused)
{
	struct site sites[4];

	(void)unused;
	/* volatile: a loop unrolled would be four users of user_a(). */
	for (volatile int i = 0; i < 4; i++)
		sites[i] = user_a();
	for (int i = 1; i < 4; i++)
		assert_memory_equal(&sites[i], &sites[0], sizeof(sites[0]));
}

/* The discriminator off, each way: then they are not told apart. */
static void without_it_they_are_one(void **unused)
{
	struct site a, b;

	(void)unused;
	callers_are(0);
	a = user_a();
	b = user_b();
	assert_int_equal(a.path, 0);
	assert_memory_equal(&a, &b, sizeof(a));
	callers_are(7);
	real_find_object = NULL;
	assert_int_equal(user_a().path, 0);
	assert_int_equal(user_a().address, b.address);
}

static void one_caller_is_enough_for_users_of_one_helper(void **unused)
{
	(void)unused;
	callers_are(1);
	assert_int_not_equal(user_a().path, user_b().path);
	assert_int_not_equal(user_a().path, 0);
}

static void code_without_information_ends_a_path(void **unused)
{
	(void)unused;
	unknown_from = (uintptr_t)helper;
	unknown_to = unknown_from + 64;
	assert_int_equal(user_a().path, 0);
	assert_int_equal(user_a().address, user_b().address);
}

static void a_recursion_is_one_path_however_deep(void **unused)
{
	uint64_t path = recursive(2).path;
	unsigned others = 0;

	(void)unused;
	for (int n = 2; n < 200; n++)
		others += recursive(n).path != path;
	assert_int_equal(others, 0);
	assert_int_not_equal(path, recursive(0).path);
}

static void paths_of_an_address_are_bounded(void **unused)
{
	(void)unused;
	for (int turn = 0; turn < 2; turn++)
		for (uint64_t path = 1; path <= 2 * SITE_PATHS; path++)
			assert_int_equal(site_admit(0x1000, path), path <= SITE_PATHS ? path : 0);
	assert_int_equal(site_admit(0x2000, 77), 77); /* another address has its own */
}

/* Last: it leaves no place. */
static void a_full_table_means_addresses_alone(void **unused)
{
	unsigned admitted = 0, again = 0;

	(void)unused;
	for (uint64_t address = 1; address < 2000; address++)
		admitted += site_admit(address << 4 | 1, 5) == 5;
	for (uint64_t address = 1; address < 2000; address++)
		again += site_admit(address << 4 | 1, 5) == 5;
	assert_int_equal(admitted, again);
	assert_in_range(admitted, 64, 128); /* observed: 128 less what came before */
}

int main(void)
{
	const struct CMUnitTest needs_glibc_2_35[] = {
		cmocka_unit_test_setup(two_users_of_one_helper_are_told_apart, set_up),
		cmocka_unit_test_setup(the_same_user_is_the_same_site, set_up),
		cmocka_unit_test_setup(without_it_they_are_one, set_up),
		cmocka_unit_test_setup(one_caller_is_enough_for_users_of_one_helper, set_up),
		cmocka_unit_test_setup(code_without_information_ends_a_path, set_up),
		cmocka_unit_test_setup(a_recursion_is_one_path_however_deep, set_up),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(paths_of_an_address_are_bounded, set_up),
		cmocka_unit_test_setup(a_full_table_means_addresses_alone, set_up),
	};
	void *found = dlsym(RTLD_DEFAULT, "_dl_find_object");

	int failed = 0;

	true_find = (int (*)(void *, struct frame_object *))found;
	if (found)
		failed = cmocka_run_group_tests(needs_glibc_2_35, NULL, NULL);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
