#include "rows.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "lab/run/estimate.h"

void row_make(struct row *row, const char *prefix, size_t i)
{
	(void)snprintf(row->id, sizeof(row->id), "%s-%zu", prefix, i);
	(void)snprintf(row->stream, sizeof(row->stream), "customer-%zu", i % 50);
	row->sequence = (int64_t)(i / 50);
	row->payload_size = (size_t)snprintf(
		row->payload, sizeof(row->payload),
		"{\"order\":{\"id\":%zu,\"currency\":\"EUR\",\"lines\":[{\"sku\":\"A-1000\",\"quantity\":2,\"price\":\"19.90\"},{\"sku\":\"B-2000\",\"quantity\":1,\"price\":\"5.00\"}],\"note\":\"%0300d\"}}",
		i, 7);
	digest_bytes(row->payload, row->payload_size, row->digest);
}

void wait_until(int64_t due_ns)
{
	struct timespec until = {.tv_sec = (time_t)(due_ns / NS_PER_S), .tv_nsec = (long)(due_ns % NS_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

void print_latencies(int64_t *latencies_ns, size_t count)
{
	estimate_sort(latencies_ns, count);
	(void)printf("p50_us=%.1f p95_us=%.1f p99_us=%.1f ", (double)estimate_quantile(latencies_ns, count, 0.50) / 1e3,
	             (double)estimate_quantile(latencies_ns, count, 0.95) / 1e3,
	             (double)estimate_quantile(latencies_ns, count, 0.99) / 1e3);
}
