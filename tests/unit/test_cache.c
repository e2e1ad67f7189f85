/* SPDX-License-Identifier: MIT */
/* needs: examples/reactor/cache.c examples/reactor/response.c examples/reactor/file.c */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "examples/reactor/cache.h"

static const struct status status_good = { "200 OK", "text/plain", "", false };

static struct response *make(const char *name, size_t bytes, bool is_closing)
{
	struct response *r = response_new(&status_good, is_closing, bytes, -1);

	assert_non_null(r);
	memset(r->bytes + r->head_bytes, 'x', bytes);
	r->id.bytes = bytes;
	strcpy(r->name, name);
	return r;
}

static const struct response *find(const struct cache *cache, const char *name, size_t bytes,
				   bool is_closing)
{
	const struct file_id id = { .bytes = bytes };

	return cache_find(cache, name, &id, is_closing);
}

static void what_was_offered_is_found_by_all_of_its_key(void **unused)
{
	struct cache *cache = cache_map(false);
	struct response *r = make("a", 10, false);

	(void)unused;
	assert_null(find(cache, "a", 10, false));
	assert_ptr_equal(cache_offer(cache, r), r);
	assert_true(r->is_shared);
	assert_ptr_equal(find(cache, "a", 10, false), r);
	assert_null(find(cache, "a", 10, true));
	assert_null(find(cache, "a", 11, false));
	assert_null(find(cache, "b", 10, false));
	assert_null(find(cache, "", 10, false));
	response_put(r); /* the cache's own stays */
	assert_ptr_equal(find(cache, "a", 10, false), r);
	cache_unmap(cache);
}

static void changed_file_is_another_response(void **unused)
{
	struct cache *cache = cache_map(false);
	struct response *old = make("a", 10, false), *new = make("a", 10, false);
	struct file_id id = { .bytes = 10, .changed_ns = 5 };

	(void)unused;
	cache_offer(cache, old);
	new->id = id;
	cache_offer(cache, new);
	assert_ptr_equal(find(cache, "a", 10, false), old);
	assert_ptr_equal(cache_find(cache, "a", &id, false), new);
	cache_unmap(cache);
}

static void what_finds_no_slot_stays_the_callers(void **unused)
{
	struct cache *cache = cache_map(false);
	char name[16];
	int kept = 0;

	(void)unused;
	for (int i = 0; i < 2 * CACHE_SLOTS; i++) {
		struct response *r;

		snprintf(name, sizeof(name), "%d", i);
		r = cache_offer(cache, make(name, 10, false));
		kept += r->is_shared;
		assert_ptr_equal(find(cache, name, 10, false), r->is_shared ? r : NULL);
		response_put(r);
	}
	assert_in_range(kept, CACHE_SLOTS / 2, CACHE_SLOTS);
	cache_unmap(cache);
}

static void what_is_over_the_budget_stays_the_callers(void **unused)
{
	struct cache *cache = cache_map(true);
	const size_t bytes = RESPONSE_BODY_MAX_BYTES;
	size_t fit = CACHE_MAX_BYTES / bytes - 1; /* heads need room too */

	(void)unused;
	/* As if it had been used: pages of 256 MB would be touched for nothing. */
	cache->used_bytes = fit * (bytes + 4096);
	for (int i = 0; i < 2; i++) {
		struct response *r = make("large", bytes - 4096 * 4, i);
		struct response *used = cache_offer(cache, r);

		assert_int_equal(used->is_shared, i == 0);
		if (i)
			response_put(used);
	}
	assert_true(cache->used_bytes <= CACHE_MAX_BYTES);
	assert_true(cache_offer(cache, make("small", 10, false))->is_shared); /* there is room */
	cache_unmap(cache);
}

static void shared_cache_is_seen_by_other_processes(void **unused)
{
	struct cache *cache = cache_map(true);
	const struct response *r;
	int status;

	(void)unused;
	if (fork() == 0) {
		cache_offer(cache, make("a", 10, false));
		_exit(0);
	}
	wait(&status);
	assert_int_equal(status, 0);
	r = find(cache, "a", 10, false);
	assert_non_null(r);
	assert_memory_equal(r->bytes + r->head_bytes, "xxxxxxxxxx", 10);
	cache_unmap(cache);
}

static void descriptor_is_not_shared_with_other_processes(void **unused)
{
	struct cache *cache = cache_map(true);
	int fd = file_from_memory("0123456789", 10);
	struct response *r = response_new(&status_good, false, 10, fd);

	(void)unused;
	assert_ptr_equal(cache_offer(cache, r), r);
	assert_false(r->is_shared);
	response_put(r);
	assert_int_equal(close(fd), -1); /* it went with the response */
	cache_unmap(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_offered_is_found_by_all_of_its_key),
		cmocka_unit_test(changed_file_is_another_response),
		cmocka_unit_test(what_finds_no_slot_stays_the_callers),
		cmocka_unit_test(what_is_over_the_budget_stays_the_callers),
		cmocka_unit_test(shared_cache_is_seen_by_other_processes),
		cmocka_unit_test(descriptor_is_not_shared_with_other_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
