/*
 * parse/scan against parse/json: every kernel and both stages agree in verdict, fields and sentence.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/parse_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct parse_pair *pair;
	if (!pair)
		pair = parse_pair_open();
	const char *difference = parse_pair_compare(pair, data, size);
	if (difference) {
		(void)fprintf(stderr, "%s\n", difference);
		abort();
	}
	return 0;
}
