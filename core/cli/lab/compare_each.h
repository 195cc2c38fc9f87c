/*
 * `sluice compare --each`: the overlays of a pipeline one by one, the enabled set, this set less one each, and pairs of
 * overlays: what they do together against what each does alone, and which of them to keep.
 */
#ifndef CLI_LAB_COMPARE_EACH_H
#define CLI_LAB_COMPARE_EACH_H

#include <signal.h>
#include <stdbool.h>

#include <jansson.h>

#include "cli/lab/comparison.h"

/* Runs one comparison; NULL: it could not be done, and a sentence was printed. */
struct each_runner {
	json_t *(*compare)(void *context, const struct comparison_request *request);
	void *context;
	const volatile sig_atomic_t *is_over; /* no other comparison is begun */
};

/* Prints a line each and the tables, or the document; leaves it as each.json beside the comparisons. The exit status. */
int compare_each(const struct comparison_request *request, const struct each_runner *runner, bool as_json);

#endif
