/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <string.h>

/* Where in the head the next byte stands. From AT_DONE on nothing is consumed. */
enum http_at {
	AT_START, /* before the method; empty lines are skipped (RFC 9112, 2.2) */
	AT_START_LF,
	AT_METHOD,
	AT_TARGET,
	AT_VERSION,
	AT_VERSION_LF,
	AT_LINE, /* first byte of a header line or of the empty last one */
	AT_NAME,
	AT_VALUE,
	AT_VALUE_LF,
	AT_END_LF,
	AT_DONE,
	AT_BAD,
	AT_TOO_LARGE,
};

/* The headers that change what we do; the others are only checked for form. */
enum http_field {
	FIELD_OTHER,
	FIELD_HOST,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
};

static const char *const field_names[] = {
	[FIELD_HOST] = "host",
	[FIELD_CONNECTION] = "connection",
	[FIELD_CONTENT_LENGTH] = "content-length",
	[FIELD_TRANSFER_ENCODING] = "transfer-encoding",
};

static bool is_token(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* Locale-free on purpose: header names are ASCII. */
static char to_lower(unsigned char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static void word_clear(struct http_parser *p)
{
	p->word_len = 0;
	p->is_word_cut = false;
}

/* Blanks that fall off the end do not cut: they may turn out to be trailing ones. */
static void word_add(struct http_parser *p, char c)
{
	if (p->word_len < sizeof(p->word))
		p->word[p->word_len++] = c;
	else if (!is_blank((unsigned char)c))
		p->is_word_cut = true;
}

static void word_trim(struct http_parser *p)
{
	while (p->word_len && is_blank((unsigned char)p->word[p->word_len - 1]))
		p->word_len--;
}

static bool word_is(const struct http_parser *p, const char *text)
{
	return !p->is_word_cut && p->word_len == strlen(text) &&
	       !memcmp(p->word, text, p->word_len);
}

static enum http_at step_method(struct http_parser *p, unsigned char c)
{
	if (is_token(c)) {
		word_add(p, (char)c);
		return AT_METHOD;
	}
	if (c != ' ' || !p->word_len)
		return AT_BAD;
	if (word_is(p, "GET"))
		p->request.method = HTTP_GET;
	else if (word_is(p, "HEAD"))
		p->request.method = HTTP_HEAD;
	word_clear(p);
	return AT_TARGET;
}

static enum http_at step_start(struct http_parser *p, unsigned char c)
{
	return c == '\r' ? AT_START_LF : step_method(p, c);
}

static enum http_at step_start_lf(struct http_parser *p, unsigned char c)
{
	(void)p;
	return c == '\n' ? AT_START : AT_BAD;
}

/* A target that does not fit is counted one past the limit and emptied at its end. */
static void target_add(struct http_parser *p, char c)
{
	if (p->target_len < HTTP_TARGET_MAX_BYTES)
		p->request.target[p->target_len] = c;
	if (p->target_len <= HTTP_TARGET_MAX_BYTES)
		p->target_len++;
}

static enum http_at step_target(struct http_parser *p, unsigned char c)
{
	if (c == ' ' && p->target_len) {
		if (p->target_len > HTTP_TARGET_MAX_BYTES)
			p->request.target[0] = '\0';
		return AT_VERSION;
	}
	/* Only the origin form: the absolute and asterisk forms are for proxies and OPTIONS. */
	if (c <= ' ' || c >= 0x7f || (!p->target_len && c != '/'))
		return AT_BAD;
	target_add(p, (char)c);
	return AT_TARGET;
}

static enum http_at step_version(struct http_parser *p, unsigned char c)
{
	if (c != '\r') {
		word_add(p, (char)c);
		return c <= ' ' || p->is_word_cut ? AT_BAD : AT_VERSION;
	}
	p->is_http_1_0 = word_is(p, "HTTP/1.0");
	return p->is_http_1_0 || word_is(p, "HTTP/1.1") ? AT_VERSION_LF : AT_BAD;
}

/* After the CR of the request line or of a header line. */
static enum http_at step_line_lf(struct http_parser *p, unsigned char c)
{
	word_clear(p);
	return c == '\n' ? AT_LINE : AT_BAD;
}

static enum http_field field_find(const struct http_parser *p)
{
	for (unsigned int i = FIELD_HOST; i < sizeof(field_names) / sizeof(*field_names); i++)
		if (word_is(p, field_names[i]))
			return (enum http_field)i;
	return FIELD_OTHER;
}

static enum http_at step_name(struct http_parser *p, unsigned char c)
{
	if (is_token(c)) {
		word_add(p, to_lower(c));
		return AT_NAME;
	}
	if (c != ':' || !p->word_len)
		return AT_BAD;
	p->field = (uint8_t)field_find(p);
	word_clear(p);
	return AT_VALUE;
}

static enum http_at step_line(struct http_parser *p, unsigned char c)
{
	return c == '\r' ? AT_END_LF : step_name(p, c);
}

/* One element of the Connection list is complete. */
static void connection_note(struct http_parser *p)
{
	word_trim(p);
	if (word_is(p, "close"))
		p->says_close = true;
	else if (word_is(p, "keep-alive"))
		p->says_keep_alive = true;
	word_clear(p);
}

static bool length_end(struct http_parser *p)
{
	word_trim(p);
	if (p->has_length || p->is_word_cut || !p->word_len)
		return false;
	p->has_length = true;
	for (unsigned int i = 0; i < p->word_len; i++) {
		if (p->word[i] < '0' || p->word[i] > '9')
			return false;
		if (p->word[i] != '0')
			p->request.has_body = true;
	}
	return true;
}

/* A header line is complete; false: it makes the request malformed. */
static bool field_end(struct http_parser *p)
{
	switch (p->field) {
	case FIELD_HOST:
		if (p->has_host)
			return false;
		p->has_host = true;
		return true;
	case FIELD_CONNECTION:
		connection_note(p);
		return true;
	case FIELD_CONTENT_LENGTH:
		return length_end(p);
	case FIELD_TRANSFER_ENCODING:
		p->request.has_body = true;
		return true;
	default:
		return true;
	}
}

static enum http_at step_value(struct http_parser *p, unsigned char c)
{
	if (c == '\r')
		return field_end(p) ? AT_VALUE_LF : AT_BAD;
	if ((c < ' ' && c != '\t') || c == 0x7f)
		return AT_BAD;
	if (p->field == FIELD_CONNECTION && c == ',')
		connection_note(p);
	else if (p->word_len || !is_blank(c))
		word_add(p, to_lower(c));
	return AT_VALUE;
}

static enum http_at step_end_lf(struct http_parser *p, unsigned char c)
{
	if (c != '\n' || (!p->is_http_1_0 && !p->has_host))
		return AT_BAD;
	p->request.is_keep_alive = !p->says_close && (!p->is_http_1_0 || p->says_keep_alive);
	return AT_DONE;
}

static enum http_at (*const steps[AT_DONE])(struct http_parser *, unsigned char) = {
	[AT_START] = step_start,      [AT_START_LF] = step_start_lf, [AT_METHOD] = step_method,
	[AT_TARGET] = step_target,    [AT_VERSION] = step_version,   [AT_VERSION_LF] = step_line_lf,
	[AT_LINE] = step_line,	      [AT_NAME] = step_name,	     [AT_VALUE] = step_value,
	[AT_VALUE_LF] = step_line_lf, [AT_END_LF] = step_end_lf,
};

static enum http_result result_of(const struct http_parser *p)
{
	switch (p->at) {
	case AT_DONE:
		return HTTP_DONE;
	case AT_BAD:
		return HTTP_BAD;
	case AT_TOO_LARGE:
		return HTTP_TOO_LARGE;
	default:
		return HTTP_MORE;
	}
}

void http_reset(struct http_parser *parser)
{
	memset(parser, 0, sizeof(*parser));
}

enum http_result http_feed(struct http_parser *parser, const void *data, size_t len,
			   size_t *ret_used)
{
	const unsigned char *bytes = data;
	size_t used = 0;

	while (used < len && parser->at < AT_DONE) {
		if (parser->head_bytes == HTTP_HEAD_MAX_BYTES) {
			parser->at = AT_TOO_LARGE;
			break;
		}
		parser->head_bytes++;
		parser->at = (uint8_t)steps[parser->at](parser, bytes[used++]);
	}
	*ret_used = used;
	return result_of(parser);
}
