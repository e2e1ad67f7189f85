/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#define LETTERS_MAX 63

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int letter(const char *text, unsigned at)
{
	return tolower((unsigned char)text[at]);
}

static int is_swap(const char *a, unsigned i, const char *b, unsigned j)
{
	return i > 1 && j > 1 && letter(a, i - 1) == letter(b, j - 2) &&
	       letter(a, i - 2) == letter(b, j - 1);
}

unsigned nearest_distance(const char *a, const char *b)
{
	/* cost[i][j]: from i letters of a to j of b (optimal string alignment) */
	static unsigned char cost[LETTERS_MAX + 1][LETTERS_MAX + 1];
	unsigned na = (unsigned)strnlen(a, LETTERS_MAX), nb = (unsigned)strnlen(b, LETTERS_MAX);

	for (unsigned i = 0; i <= na; i++) {
		for (unsigned j = 0; j <= nb; j++) {
			unsigned best;

			if (i == 0 || j == 0) {
				cost[i][j] = (unsigned char)(i + j);
				continue;
			}
			best = cost[i - 1][j - 1];
			best += letter(a, i - 1) != letter(b, j - 1);
			best = least(best, least(cost[i - 1][j], cost[i][j - 1]) + 1u);
			if (is_swap(a, i, b, j))
				best = least(best, cost[i - 2][j - 2] + 1u);
			cost[i][j] = (unsigned char)best;
		}
	}
	return cost[na][nb];
}

int nearest_index(const char *wanted, const char *const *names, unsigned count)
{
	unsigned best = UINT_MAX;
	int index = -1;

	for (unsigned i = 0; i < count; i++) {
		unsigned distance = nearest_distance(wanted, names[i]);

		if (distance < best) {
			best = distance;
			index = (int)i;
		}
	}
	return index;
}
