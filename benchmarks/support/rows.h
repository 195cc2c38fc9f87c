/* What the programs that stand beside Sluice have in common: the rows of the webhooks that bench-send sends, and the schedule. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct row {
	char id[64], stream[64], payload[1024];
	size_t payload_size;
	int64_t sequence;
	uint8_t digest[SLUICE_DIGEST_SIZE]; /* of the payload alone: what it costs, not what it says */
};

void row_make(struct row *row, const char *prefix, size_t i);

/* Until that moment of the monotonic clock; at once if it has passed. */
void wait_until(int64_t due_ns);

/* Sorts the latencies and prints `p50_us=… p95_us=… p99_us=… `. */
void print_latencies(int64_t *latencies_ns, size_t count);

#endif
