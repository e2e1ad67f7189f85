/* SPDX-License-Identifier: MIT */
/* needs: examples/reactor/http.c */
#include "unit.h"

#include "examples/reactor/http.h"

#define HOST "Host: h\r\n"

/* Feed all of text; what came out of it, and how much was used. */
static enum http_result feed(struct http_parser *p, const char *text, size_t *ret_used)
{
	http_reset(p);
	return http_feed(p, text, strlen(text), ret_used);
}

static enum http_result result_of(const char *text)
{
	struct http_parser p;
	size_t used;

	return feed(&p, text, &used);
}

static const struct {
	const char *text;
	enum http_method method;
	const char *target;
	bool is_keep_alive, has_body;
} good_rows[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", true, false },
	{ "HEAD /a?b HTTP/1.1\r\n" HOST "\r\n", HTTP_HEAD, "/a?b", true, false },
	{ "PUT /a HTTP/1.1\r\nhOsT:h\r\n\r\n", HTTP_OTHER, "/a", true, false },
	{ "get / HTTP/1.1\r\n" HOST "\r\n", HTTP_OTHER, "/", true, false },
	{ "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", true, false },
	{ "GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", false, false },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_GET, "/", true, false },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", HTTP_GET, "/", false, false },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: x , CLOSE ,y\r\n\r\n", HTTP_GET, "/", false,
	  false },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", HTTP_GET, "/", true, false },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n", HTTP_GET,
	  "/", false, false },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", HTTP_GET, "/", true, false },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n", HTTP_GET, "/", true, true },
	{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", HTTP_GET, "/", true,
	  true },
	{ "GET / HTTP/1.1\r\n" HOST "X: \t a \x80 b \r\nY:\r\n\r\n", HTTP_GET, "/", true, false },
};

static const char *const bad_rows[] = {
	" GET / HTTP/1.1\r\n" HOST "\r\n",
	"GET  / HTTP/1.1\r\n" HOST "\r\n",
	"GET /  HTTP/1.1\r\n" HOST "\r\n",
	"GET / HTTP/1.1 \r\n" HOST "\r\n",
	"GET\t/ HTTP/1.1\r\n" HOST "\r\n",
	"GET a HTTP/1.1\r\n" HOST "\r\n",
	"GET http://h/ HTTP/1.1\r\n" HOST "\r\n",
	"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	"GET /\x7f HTTP/1.1\r\n" HOST "\r\n",
	"GET /\xc3 HTTP/1.1\r\n" HOST "\r\n",
	"GET /\r\n\r\n",
	"GET / HTTP/2.0\r\n" HOST "\r\n",
	"GET / http/1.1\r\n" HOST "\r\n",
	"GET / HTTP/1.1\n" HOST "\r\n",
	"GET / HTTP/1.1\r" HOST "\r\n",
	"GET / HTTP/1.1\r\nHost: h\n\r\n",
	"GET / HTTP/1.1\r\n\r\n", /* no Host */
	"GET / HTTP/1.1\r\n" HOST HOST "\r\n",
	"GET / HTTP/1.1\r\n" HOST "Name : v\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST ": v\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: 000000000000000000000001\r\n\r\n",
	"\rGET / HTTP/1.1\r\n" HOST "\r\n",
};

static void well_formed_request_is_understood(void **unused)
{
	struct http_parser p;
	size_t used;

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(good_rows); i++) {
		assert_int_equal(feed(&p, good_rows[i].text, &used), HTTP_DONE);
		assert_int_equal(used, strlen(good_rows[i].text));
		assert_int_equal(p.request.method, good_rows[i].method);
		assert_string_equal(p.request.target, good_rows[i].target);
		assert_int_equal(p.request.is_keep_alive, good_rows[i].is_keep_alive);
		assert_int_equal(p.request.has_body, good_rows[i].has_body);
	}
}

static void malformed_request_is_bad(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT_OF(bad_rows); i++)
		if (result_of(bad_rows[i]) != HTTP_BAD)
			fail_msg("taken for good: %s", bad_rows[i]);
}

static void request_cut_anywhere_says_more_then_the_same(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT_OF(good_rows); i++) {
		const char *text = good_rows[i].text;
		size_t len = strlen(text), used;

		for (size_t cut = 0; cut < len; cut++) {
			struct http_parser p;

			http_reset(&p);
			assert_int_equal(http_feed(&p, text, cut, &used), HTTP_MORE);
			assert_int_equal(used, cut);
			assert_int_equal(http_feed(&p, text + cut, len - cut, &used), HTTP_DONE);
			assert_int_equal(used, len - cut);
			assert_string_equal(p.request.target, good_rows[i].target);
			assert_int_equal(p.request.is_keep_alive, good_rows[i].is_keep_alive);
		}
	}
}

static void pipelined_request_is_left_to_the_next_turn(void **unused)
{
	static const char two[] = "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n";
	struct http_parser p;
	size_t first, second, none;

	(void)unused;
	assert_int_equal(feed(&p, two, &first), HTTP_DONE);
	assert_string_equal(p.request.target, "/1");
	assert_int_equal(http_feed(&p, two + first, 1, &none), HTTP_DONE); /* until it is reset */
	assert_int_equal(none, 0);
	http_reset(&p);
	assert_int_equal(http_feed(&p, two + first, sizeof(two) - 1 - first, &second), HTTP_DONE);
	assert_string_equal(p.request.target, "/2");
	assert_int_equal(first + second, sizeof(two) - 1);
}

static void target_over_the_limit_is_emptied(void **unused)
{
	char text[HTTP_TARGET_MAX_BYTES * 3];
	struct http_parser p;
	size_t used;

	(void)unused;
	for (int over = 0; over < 3; over++) {
		size_t len = over == 2 ? HTTP_TARGET_MAX_BYTES * 2
				       : HTTP_TARGET_MAX_BYTES + (size_t)over;

		memcpy(text, "GET ", 4);
		memset(text + 4, 'a', len);
		text[4] = '/';
		strcpy(text + 4 + len, " HTTP/1.0\r\n\r\n");
		assert_int_equal(feed(&p, text, &used), HTTP_DONE);
		assert_int_equal(strlen(p.request.target), over ? 0 : len);
	}
}

static void head_over_the_limit_is_too_large(void **unused)
{
	static char text[HTTP_HEAD_MAX_BYTES + 100];
	static const char begin[] = "GET / HTTP/1.0\r\nX: ";
	struct http_parser p;
	size_t used, end = HTTP_HEAD_MAX_BYTES - 4;

	(void)unused;
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + end, "\r\n\r\n", 5);
	assert_int_equal(feed(&p, text, &used), HTTP_DONE);
	memcpy(text + end, "a\r\n\r\n", 6);
	assert_int_equal(feed(&p, text, &used), HTTP_TOO_LARGE);
	assert_int_equal(used, HTTP_HEAD_MAX_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_request_is_understood),
		cmocka_unit_test(malformed_request_is_bad),
		cmocka_unit_test(request_cut_anywhere_says_more_then_the_same),
		cmocka_unit_test(pipelined_request_is_left_to_the_next_turn),
		cmocka_unit_test(target_over_the_limit_is_emptied),
		cmocka_unit_test(head_over_the_limit_is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
