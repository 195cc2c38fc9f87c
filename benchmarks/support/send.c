/*
 * bench-send PORT CONNECTIONS RATE COUNT [PREFIX]: sends webhooks as `sluice replay` does and prints one line of names
 * and values. RATE 0 is the closed loop. Message ids are PREFIX-number, one stream per 50 numbers, whose events do not
 * wait for each other here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "lab/load/replay.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"
#include "rows.h"

static void add_webhook(struct input *input, const char *prefix, size_t i)
{
	struct buffer body = {0};
	struct row row;
	row_make(&row, prefix, i);
	buffer_printf(&body,
	              "{\"messageId\":\"%s\",\"eventType\":\"order.created\",\"stream\":\"%s\",\"sequence\":%" PRId64
	              ",\"payload\":%s}",
	              row.id, row.stream, row.sequence, row.payload);
	input_add(input)->body = (struct sluice_bytes){arena_strndup(&input->arena, body.data, body.size), body.size};
	buffer_finish(&body);
}

static double quantile_us(const struct replay_result *result, int64_t (*figure)(const struct trace_record *),
                          double fraction)
{
	int64_t *values = must_calloc(result->count + 1, sizeof(*values));
	for (size_t i = 0; i < result->count; i++)
		values[i] = figure(&result->records[i]);
	estimate_sort(values, result->count);
	double value = (double)estimate_quantile(values, result->count, fraction) / 1e3;
	free(values);
	return value;
}

static size_t count_good(const struct replay_result *result)
{
	size_t good = 0;
	for (size_t i = 0; i < result->count; i++)
		good += result->records[i].status >= 200 && result->records[i].status < 300;
	return good;
}

static void print(const struct replay_result *result, size_t good, size_t count)
{
	(void)printf("p50_us=%.1f p95_us=%.1f p99_us=%.1f lag_p95_us=%.1f rate=%.1f good=%zu count=%zu\n",
	             quantile_us(result, run_corrected_ns, 0.50), quantile_us(result, run_corrected_ns, 0.95),
	             quantile_us(result, run_corrected_ns, 0.99), quantile_us(result, replay_lag_ns, 0.95),
	             (double)count * 1e9 / (double)(result->end_ns - result->start_ns), good, count);
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		(void)fprintf(stderr, "usage: %s PORT CONNECTIONS RATE COUNT [PREFIX]\n", argv[0]);
		return 2;
	}
	struct input input;
	struct replay_result result;
	struct sluice_error error = {0};
	input_init(&input);
	for (size_t i = 0; i < strtoul(argv[4], NULL, 10); i++)
		add_webhook(&input, argc > 5 ? argv[5] : "bench", i);
	struct replay_plan plan = {
		.input = &input,
		.count = input.count,
		.target_count = 1,
		.targets = {{.host = "127.0.0.1", .path = "/webhooks", .id_prefix = ""}},
		.connections = strtoul(argv[2], NULL, 10),
		.rate = strtod(argv[3], NULL),
		.request_prefix = "bench-",
		.timeout_ns = 30 * NS_PER_S,
	};
	(void)snprintf(plan.targets[0].port, sizeof(plan.targets[0].port), "%s", argv[1]);
	bool ok = replay_run(&plan, NULL, NULL, &result, &error);
	size_t good = count_good(&result);
	if (ok)
		print(&result, good, input.count);
	else
		(void)fprintf(stderr, "bench-send: %s\n", error.text);
	bool all_good = ok && good == input.count;
	replay_free(&result);
	input_finish(&input);
	return all_good ? 0 : 1;
}
