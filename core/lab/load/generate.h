/*
 * The generator: synthetic webhooks that look like real ones. The same recipe gives the same bytes on every machine:
 * all arithmetic is in integers, and what a line says depends on the seed and its number alone.
 *
 * The body is what the default mapping of parse/json expects:
 *
 *     {"messageId":"msg-1-0","eventType":"order.created","stream":"s-7","sequence":0,"payload":{…}}
 *
 * Sequences count from 0 in each stream, in the order of the lines. Half of the duplicates and conflicts follow their
 * original at once, the other half up to 1,000 lines later, and none refers to a line outside of its own call. Lines
 * that are to be refused (bad signature, malformed) belong to no stream, so that they leave no gap in one. Malformed
 * bodies are cut, no JSON, without a message id, with a member of the wrong type, with a member twice, or not UTF-8.
 */
#ifndef LAB_LOAD_GENERATE_H
#define LAB_LOAD_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "lab/load/corpus.h"
#include "lab/load/input.h"

enum {
	GENERATE_SIZE_MIN = 16, /* bytes of a payload */
	GENERATE_SIZE_MAX = 64 * 1024 * 1024,
};
#define GENERATE_LINES_MAX UINT32_C(1000000000)

/* How large payloads are. */
struct generate_sizes {
	bool is_real;    /* as those of GitHub: a median of 7.7 kB, 95 % below 25 kB; the rest is not looked at */
	size_t min, max; /* bytes; each size between them as likely */
};

/* Reads "1KiB", "256B..8KiB" or "real". The sentence says what was expected. */
bool generate_sizes_parse(const char *text, struct generate_sizes *sizes_out, struct sluice_error *error);

struct generate_recipe {
	size_t count; /* lines, at most GENERATE_LINES_MAX */
	uint64_t seed;
	double duplicates, conflicts, bad_signatures, malformed; /* shares of all lines, rounded to whole ones */
	size_t streams;                                          /* 0: events of no stream */
	struct generate_sizes sizes;
	const struct corpus *corpus; /* draw payloads from it; NULL: make them as large as `sizes` says */
	uint64_t first_number; /* message ids are msg-SEED-NUMBER, the numbers from here on: below first_number + count
	                        */
};

struct generator;

/* The recipe's corpus must outlive it. NULL and a sentence that begins with the member, "duplicates: expected …", if
 * the recipe cannot be followed. */
struct generator *generate_create(const struct generate_recipe *recipe, struct sluice_error *error);
void generate_free(struct generator *generator); /* NULL is allowed */

/* Adds the next line to the input; false after the last. */
bool generate_next(struct generator *generator, struct input *input);

/* Adds all lines of a recipe. */
bool generate_fill(const struct generate_recipe *recipe, struct input *input, struct sluice_error *error);

#endif
