/*
 * Which name was meant: edit distance, without regard to case and to - or _.
 */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "yaml/option.h"

static char fold(char c)
{
	return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

enum { NAME_MAX_BYTES = 64 };

/* Edits that turn `a` into `b`: insert, delete, replace, swap two neighbours (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_BYTES + 1];
	size_t a_size = strlen(a), b_size = strlen(b);
	if (a_size > NAME_MAX_BYTES || b_size > NAME_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *higher = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);
			size_t best = above[j - 1] + !same;
			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
				best = higher[j - 2] + 1 < best ? higher[j - 2] + 1 : best;
			row[j] = best;
		}
	}
	return rows[a_size % 3][b_size];
}

const char *option_did_you_mean(const char *name, size_t count, const char *(*name_at)(const void *context, size_t i),
                                const void *context)
{
	const char *closest = NULL;
	size_t least = strlen(name) < 6 ? 2
	                                : strlen(name) / 3 + 1; /* one slip in a short name, a third of a long one */
	if (strlen(name) < 2)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const char *candidate = name_at(context, i);
		size_t edits = distance(name, candidate);
		if (strlen(name) >= 3 && strncasecmp(candidate, name, strlen(name)) == 0)
			edits = 1; /* cut short: "pass" for "passphrase" */
		if (edits < least && edits < strlen(candidate)) {
			least = edits;
			closest = candidate;
		}
	}
	return closest;
}
