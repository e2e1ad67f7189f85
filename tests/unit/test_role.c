/* SPDX-License-Identifier: MIT */
/* needs: probes/role.c */
#include "unit.h"

#include "probes/role.h"

static void roles_follow_from_what_a_thread_did(void **unused)
{
	static const struct {
		struct role_facts facts;
		enum role role;
	} cases[] = {
		{ { 0, 0, 0, 0 }, ROLE_IS_UNKNOWN },
		{ { 1000, 500, 10, 0 }, ROLE_IS_REACTOR },
		{ { 0, 5, 0, 0 }, ROLE_IS_REACTOR },	 /* hands all I/O to workers */
		{ { 1000, 0, 1, 0 }, ROLE_IS_CONNECTION },
		{ { 1000, 0, 300, 0 }, ROLE_IS_CONNECTION }, /* pool: one connection after another */
		{ { 1000, 0, 0, 400 }, ROLE_IS_WORKER },
		{ { 1000, 0, 100, 400 }, ROLE_IS_WORKER },
		{ { 100000, 3, 0, 400 }, ROLE_IS_WORKER }, /* waited a few times all the same */
	};

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(role_of(&cases[i].facts), cases[i].role);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_follow_from_what_a_thread_did),
	};

	return cmocka_run_group_tests_name("role", tests, NULL, NULL);
}
