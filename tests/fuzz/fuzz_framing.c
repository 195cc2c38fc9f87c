/*
 * Framing: the same faults and the same requests, however what has come is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* In pieces of `step` bytes; what is handed on is appended to `kept`. */
static size_t read_in_steps(struct framing *framing, const uint8_t *data, size_t size, size_t step, char *kept)
{
	size_t total = 0;
	for (size_t at = 0; at < size && !framing->fault; at += step) {
		size_t piece = size - at < step ? size - at : step;
		char *copy = malloc(piece);
		memcpy(copy, data + at, piece);
		size_t got = framing_read(framing, copy, piece);
		require(got <= piece);
		memcpy(kept + total, copy, got);
		total += got;
		free(copy);
	}
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct framing whole = {0}, bytes = {0}, parts = {0};
	char *kept = malloc(3 * size + 1);
	size_t all = read_in_steps(&whole, data, size, size + 1, kept);
	size_t each = read_in_steps(&bytes, data, size, 1, kept + size);
	(void)read_in_steps(&parts, data, size, 7, kept + 2 * size);
	require(whole.fault == bytes.fault && whole.fault == parts.fault);
	require(whole.requests == bytes.requests && whole.requests == parts.requests);
	require(whole.heads == bytes.heads && whole.heads >= whole.requests && whole.heads <= whole.requests + 1);
	require(framing_is_inside(&whole) == framing_is_inside(&bytes));
	/* With a fault in sight, less of the last request is handed on at once than byte by byte; never more or other. */
	require(all <= each && memcmp(kept, kept + size, all) == 0);
	require(whole.fault || all == each);
	free(kept);
	return 0;
}
