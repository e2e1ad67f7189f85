/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <string.h>

/* Copies a word or line that is not ended by a zero, cut to fit. */
static void copy_part(char *to, const char *from, size_t length)
{
	if (length >= SCRIPT_NAME_MAX)
		length = SCRIPT_NAME_MAX - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool script_parse(const char *memory, size_t bytes, struct script_line *ret)
{
	const char *at = memory + 2, *end, *word;

	if (bytes < 3 || memcmp(memory, "#!", 2))
		return false;
	end = memory + bytes;
	for (word = at; word < end && *word && *word != '\n'; word++)
		;
	end = word;
	while (at < end && is_blank(*at))
		at++;
	while (end > at && (is_blank(end[-1]) || end[-1] == '\r'))
		end--;
	for (word = at; word < end && !is_blank(*word); word++)
		;
	copy_part(ret->interpreter, at, (size_t)(word - at));
	while (word < end && is_blank(*word))
		word++;
	copy_part(ret->argument, word, (size_t)(end - word));
	return ret->interpreter[0] != '\0';
}

/* The next word of env's arguments; its length, 0 at the end. */
static size_t next_word(const char **at)
{
	*at += strspn(*at, " \t");
	return strcspn(*at, " \t");
}

static bool is_word(const char *at, size_t length, const char *word)
{
	return strlen(word) == length && !memcmp(at, word, length);
}

bool script_env_program(const char *argument, char *ret_program, bool *ret_is_cleared)
{
	static const char split[] = "--split-string=";
	const char *at = argument;
	size_t length;

	*ret_is_cleared = false;
	while ((length = next_word(&at)) > 0) {
		if (is_word(at, length, "-i") || is_word(at, length, "-") ||
		    is_word(at, length, "--ignore-environment")) {
			*ret_is_cleared = true;
		} else if (!strncmp(at, split, sizeof(split) - 1)) {
			length = sizeof(split) - 1; /* go on inside it */
		} else if (length > 2 && !strncmp(at, "-S", 2)) {
			length = 2;
		} else if (is_word(at, length, "-u") || is_word(at, length, "-C")) {
			at += length;
			length = next_word(&at); /* its value */
		} else if (at[0] != '-' && !memchr(at, '=', length)) {
			copy_part(ret_program, at, length);
			return true;
		}
		at += length;
	}
	return false;
}
